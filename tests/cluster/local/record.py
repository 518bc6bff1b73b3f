"""What a local cluster has put on the machine, written down before it is relied on, so that any later `down` finds it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Started:
    """A process by its id and its start (in clock ticks since boot): together they name one process for good."""

    name: str
    pid: int
    ticks: int


@dataclass(slots=True)
class Record:
    """The state file of one cluster. Empty when it is down."""

    path: Path
    boot: str = ""
    complete: bool = False
    with_node: bool = False
    controllers: bool = False
    subnet: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    processes: list[Started] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    foreign_chains: list[str] = field(default_factory=list)
    made_directories: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Return the record at `path`; an empty one when there is none."""
        if not path.is_file():
            return cls(path)
        found = json.loads(path.read_text(encoding="utf-8"))
        found["processes"] = [Started(**process) for process in found["processes"]]
        return cls(path=path, **found)

    def exists(self) -> bool:
        """Whether anything of the cluster may be there."""
        return self.path.is_file()

    def write(self) -> None:
        """Replace the file in one step: a reader never sees half of it."""
        content = asdict(self)
        del content["path"]
        draft = self.path.with_suffix(".draft")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
        draft.replace(self.path)

    def alive(self) -> list[Started]:
        """Return the recorded processes that still run; none of an earlier boot does."""
        return [process for process in self.processes if self.boot == boot_id() and is_alive(process)]


def boot_id() -> str:
    """Return what changes with every boot of the machine."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def start_ticks(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Return when a process started; None when it is gone or only waits to be collected by its parent."""
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in brackets, may hold spaces and brackets itself: proc(5) counts on from the last one.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def is_alive(process: Started, proc: Path = Path("/proc")) -> bool:
    """Whether that very process runs, and not another that was given its id since."""
    return start_ticks(process.pid, proc) == process.ticks
