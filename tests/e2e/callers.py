"""Two hundred calls a second of a tenant's Service, half of them over kept-alive connections, and what became of each."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.story.answers import Line, answers, lines
from demo.story.reach import url_of
from tests.client.record import percentile
from tests.e2e.manifests import SERVICE
from tests.e2e.tenant import Tenant

RATE: Final = 200
REPEATS: Final = int(os.environ.get("REPEATS", "1"))
"""How often each story is played under load: `make traffic` plays them five times."""
TIMEOUT_S: Final = 5
# A request may take as long as its caller waits; only then is it known what became of it.
_SETTLED_S: Final = TIMEOUT_S + 0.5


@dataclass(frozen=True, slots=True)
class Callers:
    """The callers of one tenant; every request is in their log."""

    tenant: Tenant
    name: str
    log: Path
    began: float

    def failed(self) -> Sequence[Line]:
        """Tell how many failed, and return them, once it is known what became of all that were sent by now."""
        time.sleep(_SETTLED_S)
        known = [one for one in lines(self.log) if "totals" not in one and one["t"] >= self.began]
        failed = [one for one in known if one["error"] or one["status"] != 200]
        took = [one["ms"] for one in known]
        kept = sum(one["connection"] == "kept" for one in known)
        waited = f"p50 {percentile(took, 50)} ms, p99 {percentile(took, 99)} ms"
        self.tenant.stage.tell(f"{self.name}: {len(known)} requests, {kept} of them over kept connections, {len(failed)} failed; {waited}")
        assert len(known) > 0.9 * RATE * (known[-1]["t"] - known[0]["t"]), "they call at their rate"
        return failed

    def who_answers(self) -> set[str]:
        """Return the versions that answered in the last second."""
        now = time.time()
        return set(answers(self.log, now - 1.0, now))

    def last_answers(self) -> Mapping[str, float]:
        """Return when each version answered for the last time so far (Unix seconds)."""
        last: dict[str, float] = {}
        for one in lines(self.log):
            if not one.get("error", "totals"):
                last[one["version"]] = max(one["t"] + one["ms"] / 1000, last.get(one["version"], 0.0))
        return last


@contextmanager
def called(tenant: Tenant, name: str, url: str = "") -> Iterator[Callers]:
    """Have a tenant's Service called from now on, or what stands before it at `url`."""
    stage, log = tenant.stage, tenant.stage.build / f"{name}.jsonl"
    members = stage.build / "somebody.txt"
    members.write_text("somebody\n")
    url = url or url_of(stage.cluster, stage.kubectl, stage.companions, tenant.namespace, SERVICE)
    arguments = [f"--url={url}/predict", f"--rate={RATE}", f"--members={members}", f"--log={log}", f"--timeout={TIMEOUT_S}"]
    stage.companions.start(name, "tests.client", *arguments)
    try:
        yield Callers(tenant, name, log, time.time())
    finally:
        stage.companions.end(name)
