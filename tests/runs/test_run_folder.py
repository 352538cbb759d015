"""A run folder: attempts, the one that counts, whose folder it is, and who holds it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raymed.config import Experiment, parse_experiment
from raymed.errors import InputError
from raymed.runs import FOLD_FILES, MemberFolder, RunFolder


def experiment(**changes: object) -> Experiment:
    content = {
        "name": "x",
        "data": {"source": "a", "patients": "none"},
        "recipes": {"a": {"model": "resnet18", "pretrained": "none"}},
    } | changes
    return parse_experiment(content, Path("/data"), "x.yaml")


def attempt(member: MemberFolder, fold: int, content: str) -> Path:
    """A try at a fold with all its files."""
    folder = member.start_attempt(fold)
    for name in FOLD_FILES:
        (folder / name).write_text(content)
    return folder


def test_only_the_attempt_that_done_names_counts(tmp_path: Path) -> None:
    member = RunFolder(tmp_path).member("m")
    attempt(member, 0, "killed")
    assert member.completed_fold(0) is None

    second = attempt(member, 0, "whole")
    member.finish_fold(0, second, seconds=1.5)

    assert member.completed_fold(0) == second
    assert member.earlier_attempts(0) == [second]  # the others are gone
    assert member.fold_facts(0)["seconds"] == 1.5
    assert member.completed_fold(1) is None


def test_a_fold_that_was_harmed_does_not_count(tmp_path: Path) -> None:
    member = RunFolder(tmp_path).member("m")
    folder = attempt(member, 0, "whole")
    member.finish_fold(0, folder)

    (folder / "predictions.parquet").write_text("changed")

    assert member.completed_fold(0) is None


def test_a_failure_is_kept_until_the_fold_succeeds(tmp_path: Path) -> None:
    member = RunFolder(tmp_path).member("m")
    folder = attempt(member, 0, "whole")
    member.record_failure(0, "no luck", "trace")
    assert (member.fold(0) / "FAILED.json").exists()

    member.finish_fold(0, folder)

    assert not (member.fold(0) / "FAILED.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "there seed is 0, here 1"),
        ({"name": "y"}, 'there name is "x", here "y"'),
        (
            {"data": {"source": "a", "patients": "none", "folds": 3}},
            "there data.folds.count is 5, here 3",
        ),
    ],
)
def test_a_folder_of_another_experiment_is_refused(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    run = RunFolder(tmp_path)
    run.write_experiment(experiment())

    with pytest.raises(InputError, match=words):
        run.refuse_other(experiment(**change))


def test_recipes_ensemble_and_cluster_may_change(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_experiment(experiment())

    run.refuse_other(
        experiment(
            recipes={"b": {"model": "resnet34", "pretrained": "none"}},
            ensemble={"meta_learners": ["mean"]},
            cluster={"workers": 7},
        )
    )


def test_the_experiment_reads_back_the_same(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_experiment(experiment(seed=4))

    assert run.experiment() == experiment(seed=4)


def test_a_second_build_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.lock(), pytest.raises(InputError, match=f"process {os.getpid()} on"), run.lock():
        pass
    with run.lock():
        pass  # given back


def test_the_lock_of_a_killed_process_does_not_hold(tmp_path: Path) -> None:
    code = (
        "import time\nfrom pathlib import Path\nfrom raymed.runs import RunFolder\n"
        f"with RunFolder(Path({str(tmp_path)!r})).lock():\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while not (tmp_path / ".lock").exists() or not (tmp_path / ".lock").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(InputError, match=f"process {holder.pid}"), RunFolder(tmp_path).lock():
        pass

    holder.send_signal(signal.SIGKILL)
    holder.wait()

    with RunFolder(tmp_path).lock():
        pass


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        RunFolder.existing(tmp_path)


@pytest.mark.parametrize("content", ['{"schema": 2}', '{"schema": "new"}', "[1]"])
def test_a_folder_of_a_newer_raymed_is_refused(tmp_path: Path, content: str) -> None:
    run = RunFolder(tmp_path)
    run.write_experiment(experiment())
    RunFolder.existing(tmp_path)
    run.schema_file.write_text(content)

    with pytest.raises(InputError, match=r"this raymed knows up to 1; update raymed"):
        run.refuse_other(experiment())
    with pytest.raises(InputError, match="update raymed"):
        RunFolder.existing(tmp_path)
