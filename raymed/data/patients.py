"""Who a sample belongs to."""

import re
from collections.abc import Iterable

import pandas as pd

from raymed.config import DataConfig
from raymed.data.keyed import values_of_samples
from raymed.errors import InputError, some


def find_patients(samples: pd.DataFrame, data: DataConfig) -> pd.Series:
    """Return each sample's patient as `data.patients` says; every sample must have one.

    With `patients: none` a sample is its own patient; with `recovered` it is at first.
    """
    source = data.patients
    assert source is not None
    if not source.known:
        return samples["sample_id"]
    if source.pattern is not None:
        return pd.Series(patients_in_paths(samples["relative"], source.pattern), samples.index)
    assert source.column is not None
    return values_of_samples(samples, data.source, source.column, source.file, source.key)


def patients_in_paths(paths: Iterable[str], pattern: str) -> list[str]:
    """Return the patient in each path: what the one group of `pattern` matches."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError("patients pattern", f"{pattern!r} is not valid: {error}") from None
    if compiled.groups != 1:
        raise InputError(
            "patients pattern",
            f"{pattern!r} has {compiled.groups} groups",
            "put the patient into one pair of parentheses",
        )
    found = [(path, compiled.search(path)) for path in paths]
    strangers = [path for path, match in found if match is None or not match.group(1)]
    if strangers:
        raise InputError(
            "patients pattern",
            f"{pattern!r} finds no patient in {len(strangers)} images: {some(strangers)}",
        )
    return [match.group(1) for _, match in found if match is not None]
