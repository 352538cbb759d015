"""The copy of a run folder: what comes here, what goes there, and whose marker counts."""

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from raymed.errors import InputError
from raymed.files import mark_complete, read_json, write_json
from raymed.runs import FOLD_FILES, MemberFolder
from raymed.runs.conditional import Conditional
from raymed.runs.keeper import Keeper
from raymed.runs.lease import Lease, take_lease
from raymed.runs.mirror import Mirror
from raymed.runs.store import RunStore
from raymed.stories import result_of
from tests.stores import Proxy


def bring(mirror: Mirror, attempt: str | None = None) -> None:
    deque(mirror.bring(attempt), maxlen=0)


def names(mirror: Mirror) -> set[str]:
    files = (file for file in mirror.path.rglob("*") if file.is_file())
    return {file.relative_to(mirror.path).as_posix() for file in files}


def finished_fold(member: MemberFolder, fold: int, content: str = "x") -> Path:
    attempt = member.start_attempt(fold)
    for name in FOLD_FILES:
        (attempt / name).write_text(f"{content} {name}")
    member.keep_attempt(fold, attempt)
    member.finish_fold(fold, attempt, seconds=1.0)
    return attempt


def test_what_one_machine_leaves_another_finds(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    here, there = Mirror(tmp_path / "here", store), Mirror(tmp_path / "there", store)
    member = MemberFolder(here.path / "members/m", "m", store.below("members/m"))
    attempt = finished_fold(member, 0)
    other = member.start_attempt(1)
    (other / "state.json").write_text("half")
    member.keep_attempt(1, other)
    write_json(here.path / "metrics.json", {"a": 1})
    (here.path / ".lock").touch()
    (here.path / "scratch").mkdir()
    (here.path / "scratch" / "rays.own").touch()

    here.push(objects)
    bring(there)

    fold = f"members/m/fold-0/{attempt.name}"
    assert names(there) == {
        "metrics.json", "members/m/fold-0/DONE.json", *(f"{fold}/{name}" for name in FOLD_FILES)
    }  # fmt: skip
    brought = MemberFolder(there.path / "members/m", "m", store.below("members/m"))
    assert brought.completed_fold(0) == there.path / fold
    brought.bring_attempts(1)
    assert (brought.fold(1) / other.name / "state.json").read_text() == "half"


def test_what_is_gone_here_goes_there_and_only_what_changed_is_written(
    store: RunStore, objects: Conditional, proxy: Proxy, tmp_path: Path
) -> None:
    mirror = Mirror(tmp_path, store)
    for name in ("a.json", "b.json"):
        write_json(tmp_path / name, {"name": name})
    mirror.push(objects)
    (tmp_path / "a.json").unlink()
    write_json(tmp_path / "b.json", {"name": "c"})
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "new").write_text("said")
    proxy.asked.clear()

    mirror.push(objects)

    assert set(store.list()) == {"b.json", "log/new"}
    assert proxy.count("PUT") <= 3  # pyarrow marks the folder of what it deletes
    proxy.asked.clear()
    mirror.push(objects)
    assert proxy.asked == []


def test_a_journal_that_grew_is_stored_again(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    mirror, journal = Mirror(tmp_path, store), tmp_path / "journal.log"
    journal.write_text("one\n")
    mirror.push(objects)
    written = journal.stat().st_mtime_ns
    with journal.open("a") as file:
        file.write("two\n")
    os.utime(journal, ns=(written, written))

    mirror.push(objects)

    assert store.read("journal.log") == b"one\ntwo\n"


def test_the_last_driver_finds_its_own_newer_files_and_others_find_the_stores(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    mine, old = Mirror(tmp_path / "mine", store), Mirror(tmp_path / "old", store)
    write_json(mine.path / "metrics.json", {"is": "stored"})
    mine.push(objects)
    bring(old)
    mine.belongs_to("last")
    old.belongs_to("earlier")
    for mirror in (mine, old):
        write_json(mirror.path / "metrics.json", {"is": "newer here"})
        write_json(mirror.path / "left.json", {})

    mine.bring_some((".json",), "last")
    for mirror in (mine, old):
        bring(mirror, "last")

    assert read_json(mine.path / "metrics.json") == {"is": "newer here"}
    assert (mine.path / "left.json").exists()
    assert read_json(old.path / "metrics.json") == {"is": "stored"}
    assert not (old.path / "left.json").exists()
    assert old.token is None


def test_markers_are_written_after_all_else(
    store: RunStore, objects: Conditional, proxy: Proxy, tmp_path: Path
) -> None:
    mirror = Mirror(tmp_path, store)
    for name in ("zz.json", "members/m/oof.parquet", "aa.json"):
        write_json(tmp_path / name, {})
    member = MemberFolder(tmp_path / "members/m", "m", store.below("members/m"))
    finished_fold(member, 0)
    proxy.asked.clear()

    mirror.push(objects)

    assert proxy.paths("PUT")[-1].endswith("fold-0/DONE.json")


def test_where_another_drivers_marker_is_there_that_one_counts_here_too(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    winner, zombie = Mirror(tmp_path / "winner", store), Mirror(tmp_path / "zombie", store)
    first = MemberFolder(winner.path / "members/m", "m", store.below("members/m"))
    second = MemberFolder(zombie.path / "members/m", "m", store.below("members/m"))
    losing = second.start_attempt(0)
    for name in FOLD_FILES:
        (losing / name).write_text(f"losing {name}")
    mark_complete(second.fold(0), [f"{losing.name}/{name}" for name in FOLD_FILES],
                  attempt=losing.name)  # fmt: skip
    attempt = finished_fold(first, 0, "winning")
    winner.push(objects)

    zombie.push(objects)

    counts = second.completed_fold(0)
    assert counts is not None
    assert counts.name == attempt.name
    assert (counts / FOLD_FILES[0]).read_text() == f"winning {FOLD_FILES[0]}"
    there = objects.read("members/m/fold-0/DONE.json")
    assert there is not None
    assert there.content["attempt"] == attempt.name


def test_a_fold_that_was_harmed_is_marked_anew_by_who_holds_the_folder(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    mirror = Mirror(tmp_path, store)
    member = MemberFolder(tmp_path / "members/m", "m", store.below("members/m"))
    finished_fold(member, 0)
    mirror.push(objects)

    again = finished_fold(member, 0, "again")
    mirror.push(objects)

    there = objects.read("members/m/fold-0/DONE.json")
    assert there is not None
    assert there.content["attempt"] == again.name
    assert {name.split("/")[0] for name in store.below("members/m/fold-0").list()} == {
        "DONE.json", again.name
    }  # fmt: skip


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def leased(objects: Conditional, who: str, own: str | None = None) -> Lease:
    return result_of(take_lease(objects, who, who, own, 2.0))


def test_a_driver_that_lost_its_lease_writes_nothing_more_and_says_so(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    def go_on_after_the_loss() -> None:
        with Keeper(Mirror(tmp_path, store), leased(objects, "first"), objects) as keeper:
            write_json(tmp_path / "metrics.json", {"by": "first"})
            keeper.flush()
            leased(objects, "second", own="first")
            until(lambda: not keeper.is_fresh)
            write_json(tmp_path / "metrics.json", {"by": "first, too late"})
            keeper.changed()
            keeper.flush()

    with pytest.raises(InputError, match="another build has taken this folder over"):
        go_on_after_the_loss()

    assert b"too late" not in store.read("metrics.json")
    found = objects.read("lease.json")
    assert found is not None
    assert found.content["attempt"] == "second"


def test_what_changes_is_stored_beside_the_work_and_all_of_it_at_the_end(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    mirror = Mirror(tmp_path, store)
    with Keeper(mirror, leased(objects, "first"), objects) as keeper:
        write_json(tmp_path / "progress.json", {})
        keeper.changed()
        until(lambda: "progress.json" in store.list())
        write_json(tmp_path / "report.json", {})

    assert "report.json" in store.list()
    found = objects.read("lease.json")
    assert found is not None
    assert found.content["released"]


def test_after_an_error_what_is_here_is_stored_all_the_same(
    store: RunStore, objects: Conditional, tmp_path: Path
) -> None:
    def fail() -> None:
        with Keeper(Mirror(tmp_path, store), leased(objects, "first"), objects):
            write_json(tmp_path / "progress.json", {})
            raise ValueError("amid the work")

    with pytest.raises(ValueError, match="amid the work"):
        fail()

    assert "progress.json" in store.list()
