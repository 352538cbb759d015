"""Workers that die: how often a unit is tried, and what it is not blamed for."""

import os
import signal
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from raymed.cluster import Failed, Finished, run_units
from raymed.cluster.embedded import embedded_ray
from raymed.training import Progress

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Mortal:
    """Work whose process dies at the step that each try names; a try without one ends well."""

    notes: Path
    dies_at: tuple[int, ...]
    workers: int = 1
    fewest: int = 1

    def work(self, checkpoint: Path | None = None) -> Generator[Progress, None, int]:
        tries = len(list(self.notes.iterdir()))
        (self.notes / str(tries)).touch()
        for step in range(1, 5):
            yield Progress(step, 4)
            if step in self.dies_at[tries : tries + 1]:
                time.sleep(2)  # what it told has arrived, also on a busy machine
                os.kill(os.getpid(), signal.SIGKILL)
        return tries + 1


@pytest.fixture(scope="module", autouse=True)
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    import ray

    with embedded_ray(1, 0, tmp_path_factory.mktemp("log")):
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield


def end_of(unit: Mortal, engine: Any) -> Any:
    events = list(run_units([unit], engine))
    return next(event for event in events if isinstance(event, Failed | Finished))


def test_a_unit_whose_worker_dies_is_tried_again_as_long_as_it_comes_further(
    tmp_path: Path,
) -> None:
    from raymed.cluster.workers import Workers

    end = end_of(Mortal(tmp_path, dies_at=(1, 2, 3)), Workers(1))

    assert isinstance(end, Finished)
    assert end.result == 4


def test_a_unit_whose_worker_dies_twice_at_one_place_fails(tmp_path: Path) -> None:
    from raymed.cluster.workers import Workers

    end = end_of(Mortal(tmp_path, dies_at=(2, 2)), Workers(1))

    assert isinstance(end, Failed)
    assert end.reason == "its worker process died, twice"


def test_workers_that_never_started_cost_a_unit_no_try(tmp_path: Path) -> None:
    """As where a host is lost: Ray starts workers there until it has noticed, and they die."""
    import ray

    from raymed.cluster.workers import Workers

    class Stillborn:
        def begin(self) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    engine: Workers[Mortal] = Workers(1)
    well = engine._create
    ill = iter([ray.remote(Stillborn).options(num_cpus=1).remote])
    engine._create = lambda: next(ill, well)()

    end = end_of(Mortal(tmp_path, dies_at=(1,)), engine)

    assert isinstance(end, Finished)
    assert end.result == 2
    assert next(ill, None) is None, "a worker was lost before it had started"
