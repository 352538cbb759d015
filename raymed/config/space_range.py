"""A range of numbers as a space writes it: `{low: 1e-5, high: 1e-2, log: true}`."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from raymed.config.space import Range
from raymed.config.strict import Strict
from raymed.errors import InputError, did_you_mean

_KEYS = ("low", "high", "log", "step")


class _Written(Strict):
    low: float
    high: float
    log: bool = False
    step: float | None = None


def looks_like_a_range(content: Any) -> bool:
    """Tell whether a mapping means to be a range."""
    return isinstance(content, Mapping) and ("low" in content or "high" in content)


def read_range(
    content: Mapping[str, Any], kinds: tuple[Any, ...], path: tuple[str | int, ...], place: str
) -> Range:
    """Read the range of a field that takes `kinds`. Raises `InputError` at `place`."""
    whole = int in kinds
    if not whole and float not in kinds:
        raise InputError(place, "takes no numbers", "write {choices: [.., ..]}")
    for key in content:
        if key not in _KEYS:
            hint = did_you_mean(str(key), (*_KEYS, "choices"))
            raise InputError(f"{place}.{key}", "unknown field", hint)
    written = _read(content, place)
    _refuse_no_range(written, place)
    if written.step is not None:
        _refuse_no_steps(written, place)
    step = written.step
    if whole:
        for key in ("low", "high", "step"):
            value = getattr(written, key)
            if value is not None and value != int(value):
                raise InputError(f"{place}.{key}", f"{value:g} is no whole number")
        step = step if written.log else step or 1
    kind: Any = int if whole else float
    name = ".".join(str(part) for part in path)
    low, high = kind(written.low), kind(written.high)
    return Range(name, path, low, high, written.log, kind(step) if step else None, whole)


def _read(content: Mapping[str, Any], place: str) -> _Written:
    try:
        return _Written.model_validate(dict(content))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = fault["loc"][0]
        if fault["type"] == "missing":
            raise InputError(place, f"{key} is missing", "write {low: .., high: ..}") from None
        raise InputError(f"{place}.{key}", f"{fault['msg']} (found {fault['input']!r})") from None


def _refuse_no_range(written: _Written, place: str) -> None:
    low, high = written.low, written.high
    if low > high:
        raise InputError(
            place,
            f"low {low:g} lies above high {high:g}",
            f"write {{low: {high:g}, high: {low:g}}}",
        )
    if low == high:
        raise InputError(place, f"low and high are both {low:g}", "write the number alone")
    if written.log and low <= 0:
        raise InputError(
            place, f"a log range cannot start at {low:g}", "raise low above 0, or set log: false"
        )


def _refuse_no_steps(written: _Written, place: str) -> None:
    step = written.step or 0.0
    if step <= 0:
        raise InputError(f"{place}.step", f"{step:g} leads nowhere", "write a step above 0")
    if written.log:
        raise InputError(place, "a log range has no steps", "leave out log or step")
    steps = (written.high - written.low) / step
    if abs(steps - round(steps)) >= 1e-8:
        last = written.low + math.floor(steps) * step
        remedy = f"write high: {last:g}" if last > written.low else "write a smaller step"
        fault = f"high {written.high:g} is not reached from {written.low:g} in steps of {step:g}"
        raise InputError(place, fault, remedy)
