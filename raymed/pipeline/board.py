"""The board of a build: what is done, running, failed and left, and how long that takes.

Loads neither torch nor Ray, so that another process can ask at once.
"""

from dataclasses import dataclass, field
from statistics import mean
from typing import Literal

from pydantic import TypeAdapter

from raymed.pipeline.tally import Tally

State = Literal["waiting", "running", "interrupted", "done", "failed"]
STATES: tuple[State, ...] = ("done", "running", "failed", "interrupted", "waiting")
FEATURES = "features"


@dataclass(frozen=True)
class Cell:
    """One unit of work. `seconds` is what a done one took; times are seconds since 1970.

    The first report came at `since`, at step `first`; the last one at `at`, at `step` of `steps`.
    `speed` is in images a second, `busy` the share of time that the card of `node` was busy then.
    """

    state: State = "waiting"
    seconds: float | None = None
    reason: str = ""
    since: float = 0
    at: float = 0
    first: int = 0
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    node: str | None = None
    speed: float | None = None
    busy: float | None = None

    @property
    def share(self) -> float:
        """The share of the unit that is behind it, 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    @property
    def whole(self) -> float | None:
        """The seconds of the whole unit, measured or at its own speed; None when unknown."""
        if self.seconds is not None:
            return self.seconds
        if self.step > self.first and self.at > self.since:
            return (self.at - self.since) / (self.step - self.first) * self.steps
        return None


@dataclass
class Row:
    """One member: a cell for each fold, before them one for the features it computes.

    Its folder lies in the run folder, or in one `below` it.
    """

    name: str
    id: str
    cells: dict[str, Cell]
    below: str = ""

    @property
    def failed(self) -> bool:
        """Whether a unit of it failed: a build drops the member's other units."""
        return any(cell.state == "failed" for cell in self.cells.values())


@dataclass
class Board:
    """A build: its stage, its workers, its members. `members` is empty before they are planned.

    A search has a `tally`; its members are the trials at work.
    """

    name: str = ""
    started: float = 0
    updated: float = 0
    stage: str = ""
    done: int = 0
    total: int | None = None
    workers: int = 1
    finished: bool = False
    members: list[Row] = field(default_factory=list)
    tally: Tally | None = None

    def row(self, name: str) -> Row:
        """Give the row of a planned member."""
        return next(row for row in self.members if row.name == name)

    def count(self, state: State) -> int:
        """Count the cells in one state."""
        return sum(cell.state == state for row in self.members for cell in row.cells.values())


@dataclass(frozen=True)
class NodeAtWork:
    """A node and the units that run there: their images a second together, the card's busy share.

    `speed` is None before any of them has told one, `busy` where no card says.
    """

    node: str
    units: int
    speed: float | None = None
    busy: float | None = None


def nodes_at_work(board: Board) -> list[NodeAtWork]:
    """Add up what the running units of each node said last; in the order of their addresses."""
    cells = [cell for row in board.members for cell in row.cells.values()]
    there: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.state == "running" and cell.node is not None:
            there.setdefault(cell.node, []).append(cell)
    found = []
    for node, own in sorted(there.items()):
        speeds = [cell.speed for cell in own if cell.speed is not None]
        busy = [cell.busy for cell in own if cell.busy is not None]
        found.append(
            NodeAtWork(
                node, len(own), sum(speeds) if speeds else None, mean(busy) if busy else None
            )
        )
    return found


BOARD = TypeAdapter(Board)
"""Reads and writes a board as JSON."""


def seconds_left(board: Board, failed_too: bool = False) -> float | None:
    """Estimate the seconds of training that are left; None when nothing was measured yet.

    A fold takes as long as the finished folds of its member; else as its running folds promise by
    their own speed; else as those of the other members. Features are told apart from folds. The
    sum is shared by the workers, and is no shorter than its longest unit. Units of members that
    failed count only when they are tried again (`failed_too`).
    """
    left: list[float] = []
    for row in board.members:
        if row.failed and not failed_too:
            continue
        for part, cell in row.cells.items():
            if cell.state == "done":
                continue
            whole = _whole(board, row, part == FEATURES)
            if whole is None:
                return None
            left.append(whole * (1 - cell.share))
    return max(sum(left) / max(1, board.workers), max(left)) if left else 0.0


def _whole(board: Board, row: Row, features: bool) -> float | None:
    own = _measured(row, features)
    if own is not None:
        return own
    others = [_measured(other, features) for other in board.members]
    known = [seconds for seconds in others if seconds is not None]
    return mean(known) if known else None


def _measured(row: Row, features: bool) -> float | None:
    """Average the seconds of a member's finished units, else of those at work."""
    cells = [cell for part, cell in row.cells.items() if (part == FEATURES) == features]
    for states in (("done",), ("running", "interrupted")):
        known = [cell.whole for cell in cells if cell.state in states]
        seconds = [whole for whole in known if whole is not None]
        if seconds:
            return mean(seconds)
    return None
