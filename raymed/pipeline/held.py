"""A run folder is held while stages are gone through; one in an object store is a copy here."""

import uuid
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from raymed.pipeline.events import Event, Stage, Training, TrialEnded
from raymed.runs import RunFolder
from raymed.runs.conditional import Conditional
from raymed.runs.keeper import Keeper
from raymed.runs.lease import SECONDS, Lease, take_lease
from raymed.runs.mirror import Mirror
from raymed.runs.store import RunStore
from raymed.stories import Story

Result = TypeVar("Result")


def held(run: RunFolder, stages: Generator[Event, None, Result]) -> Generator[Event, None, Result]:
    """Go through the stages of a verb in a run folder that nobody else works in meanwhile.

    One in an object store is brought here first. What a stage left there is stored before the next
    one begins, the ends of units soon after. Raises `InputError` where another process works in it,
    or takes it over as the store did not hear of this one.
    """
    with run.lock() as holder:
        if run.store is None:
            return (yield from stages)
        yield Stage(f"opening {run.store.url}")
        mirror = Mirror(run.path, run.store)
        lease = yield from _leased(run.store, holder, mirror.token)
        objects = Conditional.of(run.store)
        with Keeper(mirror, lease, objects) as keeper, closing(stages):
            for done, count in mirror.bring(lease.before):
                yield Stage(f"fetching {run.store.url}", done, count)
            mirror.belongs_to(lease.attempt)
            going = Story(_stored(stages, keeper))
            yield from going
            yield Stage(f"storing the rest in {run.store.url}")
    return going.result


def _stored(
    stages: Generator[Event, None, Result], keeper: Keeper
) -> Generator[Event, None, Result]:
    """Pass events on; have stored what is behind them."""
    going, stage = Story(stages), ""
    try:
        for event in going:
            keeper.check()
            if isinstance(event, Stage) and event.name != stage:
                keeper.flush()
                stage = event.name
            elif isinstance(event, TrialEnded) or (isinstance(event, Training) and event.ended):
                keeper.changed()
            yield event
    except Exception:
        keeper.look()  # what another driver took away may be the cause
        raise
    return going.result


def kept(run: RunFolder, stages: Generator[Event, None, Result]) -> Generator[Event, None, Result]:
    """Do the same for what may be done beside a build: in a local folder others may be at work."""
    return (yield from (stages if run.store is None else held(run, stages)))


def _leased(store: RunStore, holder: str, own: str | None) -> Generator[Event, None, Lease]:
    objects = Conditional.of(replace(store, patience=SECONDS / 4))  # shorter than a lease lasts
    taking = Story(take_lease(objects, uuid.uuid4().hex, holder, own, SECONDS))
    for who, waited, seconds in taking:
        stage = f"looking whether {who} still works on {store.url}"
        yield Stage(stage, round(waited), round(seconds))
    return taking.result
