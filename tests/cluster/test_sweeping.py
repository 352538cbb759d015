"""A sweep in a real Ray: Tune runs trials, what decides about them is asked and obeyed."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from raymed.cluster import Failed, Finished, Reported, TrialUnits, sweep
from raymed.cluster.embedded import embedded_ray
from raymed.training import Curve, Progress

FOLDS = 3
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Stub:
    """A fold that takes no time; what `bad` says goes wrong in its second fold."""

    trial: int
    fold: int
    marks: Path
    bad: Literal["", "raises", "dies", "dies once", "endless"] = ""
    workers: int = 1
    fewest: int = 1

    def work(self, checkpoint: Path | None = None) -> Iterator[Progress]:
        (self.marks / f"{self.trial}-{self.fold}-{time.time_ns()}").touch()
        yield Progress(1, 2)
        if self.fold == 1 and self.bad == "raises":
            raise ValueError("two is too many")
        if self.fold == 1 and self.bad == "dies":
            os._exit(1)
        if self.fold == 1 and self.bad == "dies once" and self.begun() == 1:
            os._exit(1)
        while self.bad == "endless":
            time.sleep(0.1)
        return f"{self.trial}.{self.fold}"

    def begun(self) -> int:
        """How often it was begun."""
        return len(list(self.marks.glob(f"{self.trial}-{self.fold}-*")))


@dataclass
class Decider:
    """Gives one trial for each kind, waits once in between, stops those of `stopped` early."""

    marks: Path
    kinds: list[str]
    stopped: frozenset[int] = frozenset()
    heard_: list[tuple[int, int, Any]] = field(default_factory=list)
    asked: int = 0
    waited: bool = False

    def ask(self) -> TrialUnits[Stub] | Literal["wait"] | None:
        if self.asked == 1 and not self.waited:
            self.waited = True
            return "wait"
        if self.asked == len(self.kinds):
            return None
        kind: Any = self.kinds[self.asked]
        self.asked += 1
        return TrialUnits(
            self.asked - 1,
            tuple(Stub(self.asked - 1, fold, self.marks, kind) for fold in range(FOLDS)),
        )

    def heard(self, number: int, said: Finished[Stub] | Failed[Stub]) -> bool:
        self.heard_.append((number, said.unit.fold, said))
        return isinstance(said, Finished) and number not in self.stopped

    def heard_epoch(self, number: int, unit: Stub, progress: Progress) -> bool:
        raise AssertionError("nobody asked for epochs")

    def of(self, number: int) -> list[Any]:
        """What was heard of a trial."""
        return [said for heard, _, said in self.heard_ if heard == number]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running embedded Ray with two processors; gives its folder for scratch."""
    with embedded_ray(2, 0, tmp_path_factory.mktemp("log")) as folder:
        import ray

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield folder


@pytest.fixture(scope="module")
def run(scratch: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Decider, list[Any]]:
    """A sweep of trials that end in every way there is."""
    kinds = ["", "", "raises", "dies", "dies once", ""]
    decider = Decider(tmp_path_factory.mktemp("marks"), kinds, stopped=frozenset({1}))
    return decider, list(sweep(decider, 2, 0, 1, scratch))


Run = tuple[Decider, list[Any]]


def test_a_trial_works_on_its_units_in_their_order_and_tells_each_ones_end(run: Run) -> None:
    decider, _ = run
    for number in (0, 5):
        assert [said.result for said in decider.of(number)] == [f"{number}.{f}" for f in range(3)]


def test_a_trial_that_is_stopped_begins_no_further_unit(run: Run) -> None:
    decider, _ = run
    assert [said.result for said in decider.of(1)] == ["1.0"]
    assert not list(decider.marks.glob("1-1-*"))


def test_a_unit_that_raises_ends_its_trial_with_the_reason(run: Run) -> None:
    decider, _ = run
    good, bad = decider.of(2)
    assert isinstance(good, Finished)
    assert isinstance(bad, Failed)
    assert bad.reason == "ValueError: two is too many"
    assert "Traceback" in bad.trace
    assert not list(decider.marks.glob("2-2-*"))


def test_a_trial_whose_worker_dies_goes_on_behind_what_it_had_done(run: Run) -> None:
    decider, _ = run
    assert [said.result for said in decider.of(4)] == ["4.0", "4.1", "4.2"]
    assert Stub(4, 0, decider.marks).begun() == 1
    assert Stub(4, 1, decider.marks).begun() == 2


def test_a_trial_whose_worker_dies_twice_fails_and_the_others_go_on(run: Run) -> None:
    decider, _ = run
    good, bad = decider.of(3)
    assert isinstance(good, Finished)
    assert isinstance(bad, Failed)
    assert bad.reason == "its worker process died, twice"
    assert Stub(3, 1, decider.marks).begun() == 2


def test_what_units_report_and_how_they_end_arrives_as_one_stream(run: Run) -> None:
    decider, said = run
    assert any(isinstance(each, Reported) for each in said)
    ends = [each for each in said if isinstance(each, Finished | Failed)]
    assert [(each.unit.trial, each.unit.fold) for each in ends] == [
        (number, fold) for number, fold, _ in decider.heard_
    ]


def test_what_the_decider_raises_ends_the_sweep_and_is_raised(
    scratch: Path, tmp_path: Path
) -> None:
    class Full(Decider):
        def heard(self, number: int, said: Any) -> bool:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        list(sweep(Full(tmp_path, [""] * 9), 2, 0, 1, scratch))


def test_a_caller_that_stops_listening_ends_the_sweep(scratch: Path, tmp_path: Path) -> None:
    decider = Decider(tmp_path, ["", "endless", "endless"])
    said = sweep(decider, 2, 0, 1, scratch)
    assert any(isinstance(each, Finished) for each in said)
    began = time.monotonic()
    said.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 30


@dataclass(frozen=True)
class Epochs:
    """A fold of four epochs that takes its time to let go; says which process and thread it had."""

    trial: int
    fold: int
    marks: Path
    workers: int = 1
    fewest: int = 1

    def work(self, checkpoint: Path | None = None) -> Iterator[Progress]:
        import threading

        where = f"{os.getpid()}-{threading.get_ident()}"
        try:
            for epoch in range(1, 5):
                (self.marks / f"{self.trial}-{self.fold}-epoch-{epoch}").write_text(where)
                yield Progress(2 * epoch - 1, 8, epoch, 4)
                curve = Curve(tuple(float(each) for each in range(epoch)), 1.0)
                yield Progress(2 * epoch, 8, epoch, 4, curve=curve)
        except GeneratorExit:
            time.sleep(3)  # longer than Tune waits for a thread
            (self.marks / f"{self.trial}-{self.fold}-closed").write_text(where)
            raise
        return where


@dataclass
class EpochDecider(Decider):
    """Stops the second trial in its second fold after the second epoch."""

    told: list[tuple[int, int, int]] = field(default_factory=list)

    def ask(self) -> TrialUnits[Any] | Literal["wait"] | None:
        if self.asked == len(self.kinds):
            return None
        self.asked += 1
        number = self.asked - 1
        return TrialUnits(number, tuple(Epochs(number, fold, self.marks) for fold in range(2)))

    def heard_epoch(self, number: int, unit: Any, progress: Progress) -> bool:
        assert progress.curve is not None
        self.told.append((number, unit.fold, len(progress.curve.held_out_losses)))
        return self.told[-1] != (1, 1, 2)


@pytest.fixture(scope="module")
def by_epoch(scratch: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[EpochDecider, Path]:
    """A sweep of three trials in one worker, the second one stopped in the middle of a fold."""
    marks = tmp_path_factory.mktemp("epochs")
    decider = EpochDecider(marks, [""] * 3)
    list(sweep(decider, 1, 0, 1, scratch, by_epoch=True))
    return decider, marks


ByEpoch = tuple[EpochDecider, Path]


def test_a_unit_that_is_stopped_in_the_middle_begins_no_further_epoch(by_epoch: ByEpoch) -> None:
    _, marks = by_epoch
    begun = {path.name for path in marks.glob("1-1-epoch-*")}
    assert begun == {"1-1-epoch-1", "1-1-epoch-2"}


def test_every_epoch_of_every_unit_is_told_in_order_and_once(by_epoch: ByEpoch) -> None:
    decider, _ = by_epoch
    whole = [(fold, epoch) for fold in (0, 1) for epoch in (1, 2, 3, 4)]
    for number in (0, 2):
        assert [(f, e) for trial, f, e in decider.told if trial == number] == whole
    assert [(f, e) for trial, f, e in decider.told if trial == 1] == whole[:6]


def test_a_stopped_unit_lets_go_in_its_own_thread_before_the_next_trial_begins(
    by_epoch: ByEpoch,
) -> None:
    _, marks = by_epoch
    (closed,) = marks.glob("*-closed")
    assert closed.name == "1-1-closed"
    assert closed.read_text() == (marks / "1-1-epoch-1").read_text()
    first = marks / "2-0-epoch-1"
    assert closed.stat().st_mtime_ns < first.stat().st_mtime_ns


def test_the_worker_of_a_stopped_unit_works_on_the_next_trial_unharmed(by_epoch: ByEpoch) -> None:
    decider, marks = by_epoch
    workers = {path.read_text().split("-")[0] for path in marks.glob("*-epoch-*")}
    assert len(workers) == 1
    ends = [(number, fold) for number, fold, said in decider.heard_ if isinstance(said, Finished)]
    assert ends == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]
    assert len(decider.heard_) == len(ends)
