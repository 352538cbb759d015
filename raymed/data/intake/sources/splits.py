"""The names that splits go by; what is not test is trained on."""

import pandas as pd

from raymed.errors import InputError, some

SPLITS = {
    "train": "train",
    "val": "train",
    "valid": "train",
    "validation": "train",
    "training": "train",
    "": "train",
    "test": "test",
    "testing": "test",
}
"""A name in lower case, and the split that it means."""


def known_splits(split: pd.Series, place: str) -> pd.Series:
    """Give `train` or `test` for each name; strangers are refused."""
    known = split.str.strip().str.lower().map(SPLITS)
    strangers = sorted(split[known.isna()].unique())
    if strangers:
        raise InputError(place, f"unknown splits: {some(strangers)}", "write train, val or test")
    return known
