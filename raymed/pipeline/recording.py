"""A build's events, gathered on its board and written down for `raymed status`."""

import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from raymed.errors import DiskFullError
from raymed.files import write_json
from raymed.pipeline.board import BOARD, FEATURES, Board, Cell, Row
from raymed.pipeline.events import Event, MemberFailed, Plan, Stage, Training, TrialEnded
from raymed.pipeline.status import member_folder, progress_file, read_board
from raymed.pipeline.tally import Tally
from raymed.runs import RunFolder

Result = TypeVar("Result")

WRITE_SECONDS = 1.0
"""Reports are written at most this often; the end of a unit and a new stage at once."""


def recorded(
    events: Generator[Event, None, Result], run: RunFolder, name: str
) -> Generator[Event, None, Result]:
    """Pass a build's events on, keeping its board in the run folder; the caller holds the lock."""
    board = Board(name=name, started=time.time(), members=_earlier(run))
    written = float("-inf")
    try:
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                board.finished = True
                _write(board, run)
                result: Result = end.value
                return result
            event = _measured(event, board, run)
            urgent = take(board, event)
            if urgent or time.monotonic() - written >= WRITE_SECONDS:
                _write(board, run)
                written = time.monotonic()
            yield event
    finally:
        events.close()


def take(board: Board, event: Event) -> bool:
    """Put an event on the board; True when it changed more than how far a unit is."""
    match event:
        case Stage():
            new = board.stage != event.name
            board.stage, board.done, board.total = event.name, event.done, event.total
            return new
        case Plan():
            board.members = [replace(row) for row in event.members]
            board.workers = event.workers
        case MemberFailed():
            _put(board, event.member, event.part, Cell("failed", reason=event.reason))
        case Tally():
            board.tally, board.done = event, event.ended
        case TrialEnded():
            pass
        case Training(ended=True):
            board.done += 1
            before = board.row(event.member).cells.get(event.part, Cell())
            took = event.seconds if event.seconds is not None else before.whole
            _put(board, event.member, event.part, Cell("done", seconds=took))
        case Training():
            return _report(board, event)
        case _:
            return False
    return True


def _report(board: Board, event: Training) -> bool:
    now, said = time.time(), event.progress
    before = board.row(event.member).cells.get(event.part, Cell())
    new = before.state != "running" or said.step < before.step  # tried again: a worker died
    cell = replace(
        Cell("running", since=now, first=said.step) if new else before,
        at=now,
        step=said.step,
        steps=said.steps,
        epoch=said.epoch,
        epochs=said.epochs,
        loss=said.loss,
        node=said.node,
        speed=said.images_per_second if said.images_per_second is not None else before.speed,
        busy=said.gpu_busy,
    )
    _put(board, event.member, event.part, cell)
    return new


def _put(board: Board, member: str, part: str, cell: Cell) -> None:
    row = board.row(member)
    row.cells = {**row.cells, part: cell}  # a new one: the terminal may be drawing the old one


def _measured(event: Event, board: Board, run: RunFolder) -> Event:
    """Add to the end of a fold the seconds that its marker names."""
    if not isinstance(event, Training) or not event.ended or event.part == FEATURES:
        return event
    folder = member_folder(run, board.row(event.member))
    facts = folder.fold_facts(int(event.part.removeprefix("fold ")))
    return replace(event, seconds=facts["seconds"])


def _earlier(run: RunFolder) -> list[Row]:
    """Keep the members of the build before, until this one has planned its own."""
    board = read_board(run)
    members = board.members if board is not None else []
    return [replace(row, cells=dict.fromkeys(row.cells, Cell())) for row in members]


def _write(board: Board, run: RunFolder) -> None:
    board.updated = time.time()
    with suppress(DiskFullError):  # the build says so itself where it matters
        write_json(progress_file(run), BOARD.dump_python(board, mode="json"))
