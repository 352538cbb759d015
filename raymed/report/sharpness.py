"""The members' sharpness, where a run measured it, read and typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raymed.files import read_json
from raymed.runs import RunFolder


@dataclass(frozen=True)
class MemberSharpness:
    """What was measured around the weights of one member's first fold model."""

    member: str
    trained: str  # "all" layers were moved, or the "head" alone
    samples: int
    figures: Mapping[str, float | None]  # of `raymed.optim.sharpness.Sharpness`
    line: Mapping[str, Any] | None  # of `LossLine`; only of members shown side by side
    plane: Mapping[str, Any] | None  # of `LossPlane`; the same


def read_sharpness(run: RunFolder, members: Mapping[str, str]) -> tuple[MemberSharpness, ...]:
    """Read the members' measurements, by name and id; none where the experiment asked for none."""
    experiment = run.experiment()
    if not experiment.evaluate.sharpness:
        return ()
    shown = experiment.surfaces_among(list(members))
    found = []
    for name, member_id in members.items():
        path = run.member(member_id).sharpness_file
        if path.is_file():
            stored = read_json(path)
            found.append(
                MemberSharpness(
                    name,
                    stored["trained"],
                    len(stored["sample_ids"]),
                    stored["figures"],
                    stored["line"] if name in shown else None,
                    stored["plane"] if name in shown else None,
                )
            )
    return tuple(found)
