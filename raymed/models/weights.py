"""Pretrained weights: from timm's hub or a local file, always checked against the model."""

import sys
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from raymed.config import Pretrained
from raymed.errors import InputError, some
from raymed.files import checksum


def load_weights(backbone: nn.Module, path: Path, model: str) -> None:
    """Load a state dict into a backbone without classifier; the file's classifier is dropped.

    Raises `InputError` when the file cannot be opened (with `weights_only=True`) or is not of
    this architecture.
    """
    state = _in_timm_names(_read_state(path), backbone)
    classifiers = _classifier_prefixes(backbone)
    state = {name: value for name, value in state.items() if not name.startswith(classifiers)}
    own = backbone.state_dict()
    missing = [name for name in own if name not in state and "num_batches" not in name]
    strange = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    if missing or strange or shapes:
        kinds = {"missing": missing, "unknown": strange, "of another shape": shapes}
        faults = ", ".join(
            f"{len(names)} {kind} ({some(names, 2)})" for kind, names in kinds.items() if names
        )
        raise InputError(
            str(path), f"is not of {model}: {faults}", "give weights of that timm model"
        )
    backbone.load_state_dict(state, strict=False)


def hub_backbone(model: str, create: Callable[[], nn.Module]) -> nn.Module:
    """Create a model with timm's hub weights, or say what to do without a network."""
    try:
        return create()
    except InputError:
        raise
    except Exception as error:  # the hub client raises a dozen kinds
        raise InputError(
            "pretrained",
            f"hub weights of {model} cannot be had ({first_line(error)})",
            "without a network give pretrained: {file: PATH}, or none",
        ) from None


def weights_identity(pretrained: Pretrained) -> str:
    """Name first weights by content: a file by its checksum, wherever it lies."""
    if pretrained.file is None:
        return pretrained.source
    if not pretrained.file.is_file():
        raise InputError("pretrained.file", f"no such file: {pretrained.file}")
    return f"sha256:{checksum(pretrained.file)}"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the error itself when it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else repr(error)


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError("pretrained.file", f"no such file: {path}") from None
    except Exception as error:  # on bytes that are no pickle the unpickler raises any kind
        raise InputError(
            str(path),
            f"is no state dict that can be read ({first_line(error)})",
            "save a plain state dict: torch.save(model.state_dict(), path)",
        ) from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise InputError(str(path), "holds no state dict", "save model.state_dict()")
    return state


def _in_timm_names(state: dict[str, torch.Tensor], backbone: nn.Module) -> dict[str, torch.Tensor]:
    """Have timm translate the original authors' names and resample positions to our size."""
    translate = getattr(sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None)
    if translate is None:
        return state
    try:
        translated: dict[str, torch.Tensor] = translate(state, backbone)
    except (KeyError, RuntimeError, AttributeError, ValueError, IndexError):
        return state  # of another architecture: the comparison that follows says how
    return translated


def _classifier_prefixes(backbone: nn.Module) -> tuple[str, ...]:
    names = (getattr(backbone, "pretrained_cfg", None) or {}).get("classifier") or ()
    names = (names,) if isinstance(names, str) else names
    return tuple(f"{name}." for name in names)
