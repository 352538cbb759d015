"""What a table's columns hold, told by their names first and by their values second."""

import re
from collections.abc import Collection, Iterable

import pandas as pd

from raymed.data.intake.sources.splits import SPLITS

PATIENT_NAMES = (
    "patient",
    "patientid",
    "patientidentifier",
    "subject",
    "subjectid",
    "participant",
    "participantid",
    "person",
    "personid",
    "individual",
    "individualid",
    "ptid",
    "rid",
    "mrn",
    "case",
    "caseid",
    "casenumber",
    "animal",
    "animalid",
    "lesion",
    "lesionid",
)
"""Names of columns that group samples, in lower case without marks, the best first."""

LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "classname",
    "diagnosis",
    "dx",
    "diagnosislabel",
    "target",
    "category",
    "grade",
    "stage",
    "severity",
    "group",
    "level",
    "finding",
    "findinglabels",
    "condition",
    "disease",
    "outcome",
    "pathology",
    "type",
    "y",
)
"""Names of columns with classes, the best first."""

_SITE_NAMES = ("site", "hospital", "center", "centre", "institution", "scanner", "siteid")
_SPLIT_NAMES = ("split", "set", "subset", "partition", "phase")
MOST_CLASSES = 50


def patient_column(table: pd.DataFrame, besides: Collection[str] = ()) -> str | None:
    """Name the column that says whose each row is: told by its name, nowhere empty, two or more."""
    for name in _named(table, PATIENT_NAMES, besides):
        values = table[name].astype(str).str.strip()
        if (values != "").all() and values.nunique() > 1:
            return name
    return None


def label_column(table: pd.DataFrame, besides: Collection[str] = ()) -> str | None:
    """Name the column with the classes: told by its name, with two values or more that repeat."""
    return next(
        (name for name in _named(table, LABEL_NAMES, besides) if _labels(table[name])), None
    )


def site_column(table: pd.DataFrame, besides: Collection[str] = ()) -> str | None:
    """Name the column with sites: told by its name, with two values or more that repeat."""
    return next(
        (name for name in _named(table, _SITE_NAMES, besides) if _labels(table[name])), None
    )


def split_column(table: pd.DataFrame, besides: Collection[str] = ()) -> str | None:
    """Name the column with splits: told by its name, with no values but those of splits."""
    for name in _named(table, _SPLIT_NAMES, besides):
        values = set(table[name].astype(str).str.strip().str.lower())
        if values <= set(SPLITS) and "train" in {SPLITS[value] for value in values}:
            return name
    return None


def _named(table: pd.DataFrame, names: Iterable[str], besides: Collection[str]) -> Iterable[str]:
    """Give the columns that have one of the names, in the order of names."""
    known = {bare(str(name)): str(name) for name in table.columns if name not in besides}
    return [known[name] for name in names if name in known]


def bare(name: str) -> str:
    """Write a column's name in lower case, without marks."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _labels(values: pd.Series) -> bool:
    told = values.astype(str).str.strip()
    told = told[told != ""]
    return 2 <= told.nunique() <= MOST_CLASSES and told.nunique() < len(told)
