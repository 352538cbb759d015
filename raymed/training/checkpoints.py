"""Checkpoints within a fold: safetensors and JSON, the newest whole one counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from raymed.errors import InputError
from raymed.files import checksum, read_json, whole_file, write_json
from raymed.models import Classifier
from raymed.training.optimizer_state import TensorState, optimizer_state

STATE, FINAL = "state.json", "checkpoint.safetensors"


@dataclass(frozen=True)
class Resumed:
    """What a fold continues from: weights, optimizer tensors and the rows of its epochs."""

    model: TensorState
    optimizer: TensorState
    epochs: list[dict[str, Any]]


def save_progress(
    folder: Path, model: Classifier, optimizer: torch.optim.Optimizer, epochs: list[dict[str, Any]]
) -> None:
    """Save a fold after an epoch; the state is named last, then older files go."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizer_state(optimizer).items()}
    name = f"epoch-{len(epochs)}.safetensors"
    _save(folder / name, tensors)
    write_json(folder / STATE, {"file": name, "sha256": checksum(folder / name), "epochs": epochs})
    for older in folder.glob("epoch-*.safetensors"):
        if older.name != name:
            older.unlink(missing_ok=True)


def load_progress(folders: Sequence[Path]) -> Resumed | None:
    """Load the furthest whole checkpoint of earlier attempts, or None."""
    found = [resumed for folder in folders if (resumed := _load_one(folder)) is not None]
    return max(found, key=lambda resumed: len(resumed.epochs), default=None)


def save_final(folder: Path, model: Classifier, epochs: list[dict[str, Any]]) -> None:
    """Save a trained fold's weights, without the optimizer."""
    _save(folder / FINAL, dict(model.state_dict()))
    write_json(
        folder / STATE, {"file": FINAL, "sha256": checksum(folder / FINAL), "epochs": epochs}
    )
    for older in folder.glob("epoch-*.safetensors"):
        older.unlink(missing_ok=True)


def load_final(folder: Path, model: Classifier) -> None:
    """Load a trained fold's weights into a model of the same recipe."""
    try:
        model.load_state_dict(load_file(folder / FINAL))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(
            str(folder / FINAL),
            f"cannot be loaded ({str(error).splitlines()[0][:160]})",
            "delete the fold's folder and build again",
        ) from None


def _save(path: Path, tensors: TensorState) -> None:
    with whole_file(path) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)


def _load_one(folder: Path) -> Resumed | None:
    try:
        state = read_json(folder / STATE)
        path = folder / state["file"]
        if checksum(path) != state["sha256"]:
            return None
        tensors = load_file(path)
    except (OSError, KeyError, TypeError, InputError, SafetensorError):
        return None  # half-written by a killed attempt: as if it were not there

    if path.name == FINAL:  # trained, but killed before it was marked
        return Resumed(tensors, {}, state["epochs"])

    def part(prefix: str) -> TensorState:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    return Resumed(part("model."), part("optimizer."), state["epochs"])
