"""What a build says while it runs; the command line shows it, a program may ignore it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raymed.pipeline.board import Row
from raymed.pipeline.tally import Tally

if TYPE_CHECKING:
    from raymed.training import Progress


@dataclass(frozen=True)
class Stage:
    """A stage of the build begins or moves on; `total` is None where it cannot be counted."""

    name: str
    done: int = 0
    total: int | None = None


@dataclass(frozen=True)
class Plan:
    """The members, in order, with what is done and what is left of each."""

    members: tuple[Row, ...]
    workers: int


@dataclass(frozen=True)
class Training:
    """A unit of work begins to be worked on, reports, or ends (`ended`, after `seconds`)."""

    member: str
    part: str
    progress: "Progress"
    ended: bool = False
    seconds: float | None = None


@dataclass(frozen=True)
class MemberFailed:
    """A member cannot be completed; the others go on."""

    member: str
    part: str
    reason: str


@dataclass(frozen=True)
class TrialEnded:
    """A trial of a study is `complete`, `pruned` after some folds, or has failed for a `reason`.

    `within` is the fold that a pruned trial was stopped in, and after which of its epochs. `best`
    is the number and score of the best trial so far.
    """

    number: int
    state: str
    folds: int
    value: float | None = None
    within: tuple[int, int] | None = None
    best: tuple[int, float] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Note:
    """A sentence for the reader."""

    text: str
    warning: bool = False


Event = Stage | Plan | Training | MemberFailed | Tally | TrialEnded | Note
