"""Which models there are: timm's, and `hybrid/NAME` over one of them."""

import timm

from raymed.config import HYBRID
from raymed.errors import InputError, did_you_mean


def check_model_name(name: str) -> None:
    """Refuse a name that timm does not know, with the nearest one that it does.

    After `hybrid/` stands the name of the timm model that gives the feature map.
    """
    own = name.removeprefix(HYBRID)
    if timm.is_model(own):
        return
    prefix, slash, rest = own.partition("/")
    if slash and timm.is_model(rest):
        raise InputError("model", f"unknown prefix {prefix!r}", f"did you mean '{HYBRID}{rest}'?")
    hint = did_you_mean(own, timm.list_models())
    raise InputError("model", f"timm knows no {own!r}", hint or "see timm.list_models()")
