"""Whether timm's weights of a model can be had here: in the cache, or from its hub."""

from collections.abc import Iterable, Mapping
from typing import Literal

import timm
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

Where = Literal["cache", "hub", "nowhere"]

_FILES = ("model.safetensors", "pytorch_model.bin")
_SECONDS = 3.0


def find_weights(models: Iterable[str]) -> Mapping[str, Where]:
    """Tell where the weights of each model can be had.

    The hub is asked for a file's size; the first model that it does not answer for within three
    seconds is the last one that it is asked about. `HF_HUB_OFFLINE` is heeded.
    """
    found: dict[str, Where] = {}
    asked = not constants.HF_HUB_OFFLINE
    for model in models:
        repository = _repository(model)
        if repository is None:
            found[model] = "nowhere"
        elif any(isinstance(try_to_load_from_cache(repository, file), str) for file in _FILES):
            found[model] = "cache"
        else:
            asked = asked and _answers(repository)
            found[model] = "hub" if asked else "nowhere"
    return found


def _repository(model: str) -> str | None:
    known = timm.get_pretrained_cfg(model)
    name = None if known is None else known.hf_hub_id
    return None if name is None else str(name).partition("@")[0]


def _answers(repository: str) -> bool:
    try:
        get_hf_file_metadata(hf_hub_url(repository, _FILES[0]), timeout=_SECONDS)
    except Exception:  # the hub's client raises a dozen kinds; each means that nothing can be had
        return False
    return True
