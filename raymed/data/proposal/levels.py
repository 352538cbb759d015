"""What the folders between a source and its images mean: a split, a class, a patient."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from raymed.data.intake.sources.splits import SPLITS
from raymed.data.proposal.columns import MOST_CLASSES

_PERSON = re.compile(
    r"(?i)(patient|subject|subj|participant|person|individual|volunteer|case|pat|pid|sub|p|pt)"
    r"[-_ ]?(id)?[-_ ]?[a-z]?\d+.*|tcga-\w\w-\w{4}.*|oas\d_\d{4}.*|\d{3}_s_\d{4}"
)
_NO_LABEL = re.compile(
    r"(?i)(ses|session|scan|visit|series|study|slices?|img|images?|frames?|view|day|month|baseline|data|dataset|pictures|"
    r"anat|dicoms?|left|right|axial|coronal|sagittal|mri|ct|xray|t1w?|t2w?|flair|site|scanner|"
    r"hospital|cent(er|re)|device|fold|batch|part)[-_ ]?\d*"
)
"""Folders that say when, where or how an image was made."""
_MOST_NUMBERED = 12
"""More folders with a number in each name are people, files or dates rather than classes."""


@dataclass(frozen=True)
class Levels:
    """Which level of folders is what, counted from 0; None where no level is."""

    label: int
    patient: int | None = None
    split: int | None = None


def tell_levels(folders: Sequence[tuple[str, ...]]) -> Levels | None:
    """Tell the levels from the folders above each image; None where no level can be the classes.

    Levels that not all images have, with one name only, or that say how an image was made mean
    nothing. Of two that are left, the one whose names hold no numbers, else that with fewer names,
    is the classes.
    """
    depth = min((len(parts) for parts in folders), default=0)
    names = [list(dict.fromkeys(parts[level] for parts in folders)) for level in range(depth)]
    split = next((level for level in range(depth) if _are_splits(names[level])), None)
    people = [level for level in range(depth) if _are_people(names[level])]
    meaning = [
        level
        for level in range(depth)
        if level not in (split, *people)
        and len(names[level]) > 1
        and not all(map(is_no_label, names[level]))
    ]
    classes = [
        level
        for level in meaning
        if len(names[level]) <= (_MOST_NUMBERED if _numbered(names[level]) else MOST_CLASSES)
    ]
    if not classes:
        return None
    label = min(classes, key=lambda level: (_numbered(names[level]), len(names[level]), level))
    if not _is_shared_out(folders, label, people):
        return None
    others = [level for level in meaning if level != label and _numbered(names[level])]
    patient = people[0] if people else next(iter(others), None)
    return Levels(label, patient, split)


def _are_splits(names: Sequence[str]) -> bool:
    lower = {name.lower() for name in names}
    return lower <= set(SPLITS) and "train" in {SPLITS[name] for name in lower} and len(lower) > 1


def _are_people(names: Sequence[str]) -> bool:
    return len(names) > 1 and all(_PERSON.fullmatch(name) for name in names)


def is_no_label(name: str) -> bool:
    """Tell whether a folder's name says when, where or how images were made, or nothing."""
    return _NO_LABEL.fullmatch(name) is not None


def _numbered(names: Sequence[str]) -> bool:
    """Tell whether names hold numbers, as ids do."""
    return len(names) > 1 and all(re.search(r"\d", name) for name in names)


def _is_shared_out(folders: Sequence[tuple[str, ...]], label: int, people: Sequence[int]) -> bool:
    """Tell whether each name of a level below the patients recurs, as classes do."""
    above = [level for level in people if level < label]
    if not above:
        return True
    pairs = {(parts[above[0]], parts[label]) for parts in folders}
    classes = {name for _, name in pairs}
    return all(sum(name == each for _, name in pairs) > 1 for each in classes)
