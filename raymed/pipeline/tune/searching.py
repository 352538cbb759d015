"""Trials are run until the budget of a study is spent."""

import time
from collections.abc import Iterator

from raymed.cluster import Reported, sweep
from raymed.cluster.session import count_nodes
from raymed.pipeline.events import Event, Note, Stage, Training
from raymed.pipeline.placement import Placement
from raymed.pipeline.tune.deciding import Deciding
from raymed.search import refuse_for_nodes

HEARTBEAT_SECONDS = 30


def searched(
    deciding: Deciding, placement: Placement, processes: int, storage: str | None
) -> Iterator[Event]:
    """Run trials until the budget is spent; what is left unfinished is given back."""
    study, run = deciding.study, deciding.run
    ended = sum(each.state.is_finished() for each in study.study.get_trials(deepcopy=False))
    if study.budget.exhausted(study.spent()) is not None and not deciding.waiting:
        return
    yield Stage("searching", ended, study.budget.trials)
    what = "workers" if processes == 1 else f"processes of Ray Train, {processes} a trial,"
    yield Note(f"starting {placement.workers} {what} on {placement.told}")
    share = placement.gpus / placement.workers
    beat = time.monotonic()
    try:
        with placement.session(run) as scratch:
            refuse_for_nodes(storage, count_nodes())
            trials = sweep(
                deciding,
                placement.workers,
                share,
                processes,
                scratch,
                by_epoch=study.halving is not None,
                kind=placement.gpu_kind,
                patience=placement.patience,
            )
            for said in trials:
                yield from told(deciding)
                if isinstance(said, Reported) and _is_planned(deciding, said.unit.member):
                    yield Training(said.unit.member, said.unit.part, said.progress)
                if time.monotonic() - beat > HEARTBEAT_SECONDS:
                    study.heartbeat()
                    beat = time.monotonic()
            yield from told(deciding)
    finally:
        deciding.release()


def told(deciding: Deciding) -> Iterator[Event]:
    """Give what there is to tell by now."""
    while not deciding.news.empty():
        yield deciding.news.get()


def _is_planned(deciding: Deciding, member: str) -> bool:
    return any(work.member.name == member for work in list(deciding.at_work.values()))
