"""A trial as a member: what it is called, where it lies, and how far it is."""

from dataclasses import dataclass
from pathlib import Path

from raymed.config import Experiment, Recipe
from raymed.pipeline.board import Row
from raymed.pipeline.members import Member, member_identity
from raymed.pipeline.prepare import Prepared
from raymed.runs import RunFolder
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


def trial_member(
    experiment: Experiment, run: RunFolder, prepared: Prepared, number: int, recipe: Recipe
) -> Member:
    """Give a trial, of which `recipe` was made, its identity and its place in a run."""
    identity = member_identity(experiment, recipe, prepared)
    return Member(trial_name(number), recipe, run.member(identity))


def finished_folds(member: Member, prepared: Prepared) -> dict[int, Path]:
    """Give the attempts that count of a member's folds."""
    found = {fold: member.folder.completed_fold(fold) for fold in range(prepared.folds.count)}
    return {fold: attempt for fold, attempt in found.items() if attempt is not None}
