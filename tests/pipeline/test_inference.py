"""Speed is measured in turns, and a busy moment does not decide it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from raymed.config import Experiment
from raymed.pipeline.build import Built, build
from raymed.pipeline.inference import median_seconds


def test_works_take_turns_after_one_uncounted_call_each() -> None:
    called: list[str] = []
    works: dict[str, Callable[[], object]] = {
        name: (lambda name=name: called.append(name)) for name in "ab"
    }

    found = median_seconds(works, rounds=3)

    assert "".join(called) == "ab" + "ab" * 3
    assert set(found) == {"a", "b"}
    assert min(found.values()) >= 0


def test_no_round_begins_when_time_is_up_but_every_work_is_timed_once() -> None:
    called: list[str] = []

    found = median_seconds({"a": lambda: called.append("a")}, rounds=50, most_seconds=0.0)

    assert len(called) == 2
    assert set(found) == {"a"}


def test_a_build_tells_how_long_members_mean_and_stack_take_and_measures_once(
    built: Built, make: Callable[..., Experiment], tmp_path: Path
) -> None:
    times = built.metrics["inference"]["milliseconds"]
    ids = {row["id"] for row in built.metrics["rows"] if row["kind"] == "member"}
    assert set(times) == {"1", "32"}
    for found in times.values():
        assert set(found["members"]) == ids
        assert set(found["joined"]) == {"mean", "stack"}
        assert found["joined"]["stack"] > sum(found["members"].values()) > 0
    assert "How long a prediction takes" in built.run.report_file.read_text()
    run = tmp_path / "run"
    shutil.copytree(built.run.path, run)
    (run / "metrics.json").unlink()

    again = build(make(), run)

    assert again.metrics["inference"] == built.metrics["inference"]
