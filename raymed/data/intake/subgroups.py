"""Subgroups: what a column says of each sample, and which group that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from raymed.config import Subgroup
from raymed.data.intake.classes import natural_order
from raymed.data.intake.keyed import column_of, where_known
from raymed.errors import InputError, some

PREFIX = "group: "
"""Before a column's name in the manifest: there it meets no column of ours."""
UNKNOWN = "unknown"
MOST_GROUPS = 20


@dataclass(frozen=True)
class Groups:
    """The groups in the order to show, the unknown last, and that of each sample [samples]."""

    names: tuple[str, ...]
    of_sample: npt.NDArray[np.object_]


def carry_groups(
    samples: pd.DataFrame, source: Path | str, subgroups: Iterable[Subgroup]
) -> pd.DataFrame:
    """Add what each subgroup's column says of a sample, as text, empty where nothing is said.

    Raises `InputError` for a column that is not there or says nothing at all, for more than
    `MOST_GROUPS` values without bands, and for values that bands cannot be put on.
    """
    said = {PREFIX + each.column: _said(samples, source, each) for each in subgroups}
    return samples.assign(**said)


def group_samples(values: Iterable[str], bands: Sequence[float] | None) -> Groups:
    """Put each value, text, into its group: itself, or with rising cuts its half-open band.

    The cuts [40, 60] make `< 40`, `40 to < 60` and `≥ 60`; an empty value is `unknown`.
    """
    texts = np.array(list(values), dtype=object)
    known = texts != ""
    groups = np.full(len(texts), UNKNOWN, dtype=object)
    if bands is None:
        groups[known] = texts[known]
        names = sorted(set(groups[known]), key=natural_order)
    else:
        names = _band_names(bands)
        place = np.searchsorted(bands, texts[known].astype(np.float64), side="right")
        groups[known] = np.array(names, dtype=object)[place]
    ordered = [name for name in names if name != UNKNOWN]
    present = set(groups)
    return Groups(tuple(name for name in [*ordered, UNKNOWN] if name in present), groups)


def _said(samples: pd.DataFrame, source: Path | str, subgroup: Subgroup) -> pd.Series:
    place = f"{subgroup.file or source}, column {subgroup.column!r}"
    if subgroup.file is None:
        values = column_of(samples, subgroup.column, str(source)).astype(str).str.strip()
    else:
        values = where_known(samples, subgroup.file, subgroup.column, subgroup.key)
    known = values[values != ""]
    if known.empty:
        raise InputError(place, "is empty for every sample", "name another subgroup column")
    if subgroup.bands is not None:
        strangers = sorted(known[~np.isfinite(pd.to_numeric(known, errors="coerce"))].unique())
        if strangers:
            raise InputError(
                place,
                f"holds what is no number: {some(strangers)}",
                "leave what is missing empty, or ask for the column without bands",
            )
    elif known.nunique() > MOST_GROUPS:
        raise InputError(
            place,
            f"holds {known.nunique()} values, at most {MOST_GROUPS} make groups",
            "give bands: [..], or name another column",
        )
    return values


def _band_names(bands: Sequence[float]) -> list[str]:
    cuts = [np.format_float_positional(cut, trim="-") for cut in bands]
    between = [f"{low} to < {high}" for low, high in pairwise(cuts)]
    return [f"< {cuts[0]}", *between, f"≥ {cuts[-1]}"]
