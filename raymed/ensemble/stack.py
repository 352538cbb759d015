"""The stack: which members, which meta-learner, which temperature."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from raymed.data.predictions import LEVELS, Level
from raymed.ensemble.calibration import Calibration
from raymed.ensemble.conformal import Conformal
from raymed.ensemble.meta_learners import KINDS, MetaLearner
from raymed.ensemble.meta_learners.rows import Array
from raymed.ensemble.oof import OofTable
from raymed.errors import InputError
from raymed.files import complete, mark_complete, read_json, whole_file, write_json

_FITTED, _SETS = "fitted.", "conformal."


@dataclass(frozen=True)
class Stack:
    """What predicts: members by id with their names, classes in order, a fitted meta-learner.

    `conformal` holds the sets of the levels (`image`, `patient`) that were calibrated.
    """

    members: Mapping[str, str]
    classes: tuple[str, ...]
    folds: int
    meta_learner: MetaLearner
    conformal: Mapping[str, Conformal] = field(default_factory=dict)


def assemble_stack(
    learner: MetaLearner, oof: OofTable, names: Mapping[str, str], classes: tuple[str, ...]
) -> Stack:
    """Join a meta-learner with the members, by id, whose out-of-fold rows it was fitted on."""
    members = {member: names[member] for member in oof.members}
    return Stack(members, classes, int(oof.fold.max()) + 1, learner)


def predict_folds(
    meta_learner: MetaLearner, logits: npt.NDArray[np.floating[Any]]
) -> dict[Level, Array]:
    """Combine the logits of all fold models [folds, n, members, classes] to [n, classes].

    Those of `image` are of each image by itself, those of `patient` are to be averaged. The
    meta-learner sees one fold index's models at a time, as it did when it was fitted; the
    resulting probabilities are averaged over fold indices.
    """
    found = [meta_learner.by_level(part) for part in logits]
    return {level: np.mean([part[level] for part in found], axis=0) for level in LEVELS}


def member_probabilities(logits: npt.NDArray[np.floating[Any]]) -> Array:
    """Average what the fold models of a member say: logits [folds, n, classes] to [n, classes]."""
    return np.asarray(np.mean(softmax(logits.astype(np.float64), axis=2), axis=0))


def write_stack(stack: Stack, folder: Path) -> None:
    """Write stack.json and the meta-learner's weights, then the marker."""
    learner = stack.meta_learner
    folder.mkdir(parents=True, exist_ok=True)
    own = {f"{_FITTED}{name}": values for name, values in learner.arrays.items()}
    calibrations = {
        f"{what}.{level}": values
        for level, each in learner.calibrations.items()
        for what, values in (("scale", each.scale), ("shift", each.bias))
    }
    sets = {f"{_SETS}{level}": each.thresholds for level, each in stack.conformal.items()}
    arrays = {
        name: np.ascontiguousarray(values, dtype=np.float64)
        for name, values in {**own, **calibrations, **sets, "trust": learner.trust}.items()
    }
    with whole_file(folder / "weights.safetensors") as temporary:
        save_file(
            {k: np.ascontiguousarray(v, dtype=np.float64) for k, v in arrays.items()}, temporary
        )
    facts = {
        "members": dict(stack.members),
        "classes": list(stack.classes),
        "folds": stack.folds,
        "meta_learner": learner.kind,
        "temperatures": learner.temperatures,
        "conformal": {
            level: {"method": each.method, "alpha": each.alpha}
            for level, each in stack.conformal.items()
        },
    }
    write_json(folder / "stack.json", facts)
    mark_complete(folder, ["stack.json", "weights.safetensors"])


def read_stack(folder: Path) -> Stack:
    """Read what `write_stack` wrote; refuse a stack that is missing or harmed."""
    if complete(folder) is None:
        raise InputError(str(folder), "holds no complete stack", "run raymed build again")
    try:
        facts, arrays = read_json(folder / "stack.json"), load_file(folder / "weights.safetensors")
        learner = MetaLearner(
            facts["meta_learner"],
            {k.removeprefix(_FITTED): v for k, v in arrays.items() if k.startswith(_FITTED)},
            arrays["trust"],
            {
                level: Calibration(arrays[f"scale.{level}"], arrays[f"shift.{level}"])
                for level in LEVELS
            },
        )
        KINDS[learner.kind]  # one that this version knows
        sets = {
            level: Conformal(about["method"], about["alpha"], arrays[f"{_SETS}{level}"])
            for level, about in facts["conformal"].items()
        }
        return Stack(facts["members"], tuple(facts["classes"]), facts["folds"], learner, sets)
    except (OSError, KeyError, SafetensorError) as error:
        raise InputError(str(folder), f"is no stack ({error})", "run raymed build again") from None
