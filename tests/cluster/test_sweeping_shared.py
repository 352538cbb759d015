"""A sweep of units that two processes share: each is a Ray Train run of its own."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from raymed.cluster import Failed, Finished, Reported, TrialUnits, sweep
from raymed.cluster.embedded import embedded_ray
from raymed.training import Progress, Ranks

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Pair:
    """Two processes that add up their numbers over gloo; `bad` says what goes wrong."""

    trial: int
    unit: int
    marks: Path
    bad: Literal["", "dies once", "endless"] = ""
    workers: int = 2
    fewest: int = 2

    def work(self, checkpoint: Path | None = None) -> Iterator[Progress]:
        ranks = Ranks.here()
        mark = self.marks / f"{self.trial}-{self.unit}-{ranks.rank}-{time.time_ns()}"
        mark.touch()
        yield Progress(1, 2)
        begun = len(list(self.marks.glob(f"{self.trial}-{self.unit}-{ranks.rank}-*")))
        if self.bad == "dies once" and ranks.rank == 1 and begun == 1:
            os._exit(1)
        while self.bad == "endless":
            time.sleep(0.1)
        (total,) = ranks.total(ranks.rank + 1.0)
        return f"{self.trial}.{self.unit}: {ranks.world} processes, 1 + 2 = {total:.0f}"


@dataclass
class Deciding:
    """Gives three trials: one is stopped after a unit, of one a process dies, one is endless."""

    marks: Path
    told: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def ask(self) -> TrialUnits[Pair] | Literal["wait"] | None:
        number = sum(word.startswith("asked") for word in self.told)
        if number == 3:
            return None
        self.told.append(f"asked {number}")
        kinds: list[Any] = ["", "dies once", "endless"]
        count = 2 if number == 0 else 1
        return TrialUnits(
            number, tuple(Pair(number, unit, self.marks, kinds[number]) for unit in range(count))
        )

    def heard(self, number: int, said: Finished[Pair] | Failed[Pair]) -> bool:
        self.told.append(f"heard {number}")
        self.results.append(said.result if isinstance(said, Finished) else said.trace)
        return False


@dataclass
class Left:
    """What there is of a sweep after its caller stopped to listen, while Ray still runs."""

    decider: Deciding
    groups: list[str]
    processes: list[str]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """A sweep whose caller leaves in the middle of the last trial."""
    decider = Deciding(tmp_path_factory.mktemp("marks"))
    with embedded_ray(2, 0, tmp_path_factory.mktemp("log")) as scratch:
        import ray

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        said = sweep(decider, workers=2, gpus=0, processes=2, scratch=scratch)
        for each in said:
            if isinstance(each, Reported) and each.unit.bad == "endless":
                break
        said.close()  # type: ignore[attr-defined]
        deadline = time.monotonic() + 60
        while (_groups() or _at_work()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return Left(decider, _groups(), _at_work())


def _groups() -> list[str]:
    from ray.util import placement_group_table

    table = placement_group_table().values()
    return [str(group["bundles"]) for group in table if group["state"] != "REMOVED"]


def _at_work() -> list[str]:
    """Processes of trials, and of Ray Train, that descend from this one."""
    names = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # gone meanwhile
            names.append(" ".join(child.cmdline()).strip())
    words = ("ray::RayTrainWorker", "ray::TrainController", "ray::ImplicitFunc")
    return [name for name in names if name.startswith(words)]


def test_two_processes_share_a_unit_and_talk_to_each_other(left: Left) -> None:
    assert left.decider.results[0] == "0.0: 2 processes, 1 + 2 = 3"


def test_a_shared_unit_of_which_a_process_dies_once_is_done_again(left: Left) -> None:
    assert left.decider.results[1] == "1.0: 2 processes, 1 + 2 = 3"
    assert len(list(left.decider.marks.glob("1-0-1-*"))) == 2


def test_a_trial_that_is_stopped_begins_no_further_shared_unit(left: Left) -> None:
    assert not list(left.decider.marks.glob("0-1-*"))


def test_no_more_trials_run_at_once_than_their_processes_have_room(left: Left) -> None:
    """Two processes at once, two a trial: one after the other, and none starves."""
    begun = [int(path.name.split("-")[-1]) for path in left.decider.marks.glob("1-0-*")]
    ended = [int(path.name.split("-")[-1]) for path in left.decider.marks.glob("0-0-*")]
    assert max(ended) < min(begun)
    assert left.decider.told.index("heard 0") < left.decider.told.index("asked 1")


def test_a_caller_that_leaves_in_the_middle_leaves_no_process_and_no_placement_group(
    left: Left,
) -> None:
    assert left.groups == []
    assert left.processes == []
