"""A trial in this driver's hands, and what it is as a member."""

from dataclasses import dataclass
from pathlib import Path

from raymed.pipeline.board import Row
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.search import Trial


@dataclass
class AtWork:
    """A trial that is being worked on, the attempts of its finished folds, its row of the board."""

    trial: Trial
    member: Member
    row: Row
    done: dict[int, Path]


def trial_name(number: int) -> str:
    """What a trial is called as a member."""
    return f"trial-{number}"


def finished_folds(member: Member, prepared: Prepared) -> dict[int, Path]:
    """Give the attempts that count of a member's folds."""
    found = {fold: member.folder.completed_fold(fold) for fold in range(prepared.folds.count)}
    return {fold: attempt for fold, attempt in found.items() if attempt is not None}
