"""Classes: their names and order, and which of them a binary question calls positive."""

import re
from collections.abc import Sequence

import pandas as pd

from raymed.config import DataConfig
from raymed.errors import InputError, did_you_mean, some


def named_labels(labels: pd.Series, classes: Sequence[str] | None) -> pd.Series:
    """Name labels that are numbers: n is the n-th of the configured classes, from 0.

    Labels come back as they are where classes are not configured, or are numbers themselves.
    """
    if classes is None or any(name.isdecimal() for name in classes):
        return labels
    found = labels.unique()
    if not all(name.isdecimal() and int(name) < len(classes) for name in found):
        return labels
    return labels.map({name: classes[int(name)] for name in found})


def class_order(labels: pd.Series, data: DataConfig) -> tuple[str, ...]:
    """Give the classes as configured, else as found; refuse labels that do not fit them."""
    found = sorted(labels.unique(), key=natural_order)
    if data.classes is None:
        if len(found) < 2:
            raise InputError(str(data.source), f"holds one class only: {found}", "give two or more")
        return tuple(found)
    refuse_strangers(labels, data.classes, str(data.source))
    empty = [name for name in data.classes if name not in found]
    if empty:
        raise InputError(
            str(data.source),
            f"no sample has the class {some(empty)}",
            f"remove it from data.classes; labels found: {some(found, 20)}",
        )
    return data.classes


def refuse_strangers(labels: pd.Series, classes: Sequence[str], place: str) -> None:
    """Refuse labels that are none of the classes."""
    strangers = sorted(set(labels.unique()) - set(classes), key=natural_order)
    if strangers:
        count = int(labels.isin(strangers).sum())
        hint = did_you_mean(strangers[0], classes) or f"classes are {some(classes, 20)}"
        raise InputError(
            place, f"{count} samples have labels outside data.classes: {some(strangers)}", hint
        )


def check_positive(classes: Sequence[str], positive: Sequence[str]) -> None:
    """Refuse a binary question that names unknown classes, or leaves a side empty."""
    place = "data.binary.positive"
    unknown = [name for name in positive if name not in classes]
    if unknown:
        close = did_you_mean(unknown[0], classes)
        raise InputError(
            place, f"unknown class {unknown[0]!r}", close or f"choose among {some(classes)}"
        )
    if not positive or set(positive) == set(classes):
        share = "all classes are" if positive else "no class is"
        raise InputError(place, f"{share} positive", "leave classes on both sides")


def natural_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """Give the key that sorts names as people do: numbers inside them by their size."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part)
