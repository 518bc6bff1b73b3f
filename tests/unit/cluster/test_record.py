"""The state file, and which processes it may be used to end."""

import os
from pathlib import Path

from tests.cluster.local.record import Record, Started, boot_id, is_alive, start_ticks


def _process(proc: Path, pid: int, ticks: int, state: str = "S", name: str = "etcd") -> None:
    (proc / str(pid)).mkdir(parents=True, exist_ok=True)
    between = " ".join(["0"] * 18)
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {state} {between} {ticks} 0 0\n")


def test_a_process_is_known_by_its_id_and_its_start(tmp_path: Path) -> None:
    _process(tmp_path, 41, ticks=700)
    assert is_alive(Started("etcd", 41, 700), tmp_path)


def test_another_process_with_the_same_id_is_not_ours(tmp_path: Path) -> None:
    _process(tmp_path, 41, ticks=9000)
    assert not is_alive(Started("etcd", 41, 700), tmp_path)


def test_a_process_that_is_gone_or_waits_to_be_collected_is_not_alive(tmp_path: Path) -> None:
    _process(tmp_path, 41, ticks=700, state="Z")
    assert not is_alive(Started("etcd", 41, 700), tmp_path)
    assert not is_alive(Started("etcd", 42, 700), tmp_path)


def test_a_name_with_brackets_and_spaces_does_not_shift_the_fields(tmp_path: Path) -> None:
    _process(tmp_path, 41, ticks=700, name="a) S 1 (b")
    assert start_ticks(41, tmp_path) == 700


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record(tmp_path / "state.json", boot="b", with_node=True, subnet="10.130.0.0/16", ports={"api": 4000})
    record.processes.append(Started("etcd", 41, 700))
    record.sysctls["net/ipv4/ip_forward"] = "0"
    record.write()
    assert Record.read(record.path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_no_process_of_an_earlier_boot_is_taken_for_ours(tmp_path: Path) -> None:
    own = Started("python", os.getpid(), start_ticks(os.getpid()) or 0)
    assert Record(tmp_path / "state.json", boot=boot_id(), processes=[own]).alive() == [own]
    assert Record(tmp_path / "state.json", boot="another", processes=[own]).alive() == []


def test_a_cluster_that_was_never_up_has_an_empty_record(tmp_path: Path) -> None:
    record = Record.read(tmp_path / "state.json")
    assert not record.exists()
    assert record.processes == []
