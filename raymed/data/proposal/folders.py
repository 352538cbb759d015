"""A folder as a source: class folders, folders of patients and splits, or images with a table."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from raymed.data.intake.image_files import listing_images
from raymed.data.intake.keyed import TABLE_SUFFIXES
from raymed.data.intake.sources.splits import SPLITS
from raymed.data.intake.steps import Steps
from raymed.data.proposal.contract import PatientsGuess, Proposal
from raymed.data.proposal.headers import patients_in_headers
from raymed.data.proposal.levels import Levels, is_no_label, tell_levels
from raymed.data.proposal.ordering import order_classes
from raymed.data.proposal.paths import patients_in_names
from raymed.data.proposal.tables import propose_table
from raymed.errors import InputError, some

_LAYOUT = "expected SOURCE/CLASS/IMAGE, or a table in SOURCE with a column image and a column label"


def propose_folder(source: Path) -> Steps[Proposal]:
    """Propose a folder; raises `InputError` where it holds no image, or nothing tells labels.

    A table in it that names at least half of its images, with labels, comes before its folders.
    """
    images = yield from listing_images(source)
    if not images:
        inside = sorted(path.name for path in source.iterdir() if not path.name.startswith("."))
        found = f"it holds {some(inside)}" if inside else "it is empty"
        raise InputError(str(source), f"no image lies in this folder: {found}", _LAYOUT)
    return _proposed(source, images)


def _proposed(source: Path, images: Sequence[Path]) -> Proposal:
    refusals = []
    for table in _tables(source):
        try:
            return propose_table(table, images)
        except InputError as error:
            refusals.append(error)
    first = {path.relative_to(source).parts[0] for path in images}
    if len(first) == 1 and len(images) > 1:
        only = first.pop()
        if all(path.parent == source / only for path in images) and not is_no_label(only):
            raise InputError(str(source), f"holds one class only: {only}", "give two or more")
        return _proposed(source / only, images)
    found = _by_folders(source, images)
    if found is not None:
        return found
    if refusals:
        raise refusals[0]
    raise InputError(str(source), _why_no_labels(source, images), _LAYOUT)


def _tables(source: Path) -> list[Path]:
    """List the tables in a folder, those that are called a manifest first."""
    files = (path for path in source.iterdir() if path.suffix.lower() in TABLE_SUFFIXES)
    kept = (path for path in files if path.is_file() and not path.name.startswith("."))
    return sorted(kept, key=lambda path: (not path.stem.lower().startswith("manifest"), path.name))


def _by_folders(source: Path, images: Sequence[Path]) -> Proposal | None:
    deep = [path for path in images if path.parent != source]
    relative = [path.relative_to(source).as_posix() for path in deep]
    folders = [tuple(path.split("/")[:-1]) for path in relative]
    levels = tell_levels(folders)
    if levels is None:
        return None
    empty = sorted(_folders(source) - {parts[0] for parts in folders})
    notes = tuple(
        note
        for count, note in (
            (len(empty), f"folders without an image are left out: {some(empty)}"),
            (len(images) - len(deep), "images that lie in no class folder are left out"),
        )
        if count
    )
    if levels.label or levels.split is not None or empty:
        return _rearranged(source, deep, relative, folders, levels, notes)
    guess = patients_in_headers(deep) or _patients_of_level(levels, folders)
    guess = guess or patients_in_names(relative, below_class=True)
    order = order_classes(parts[0] for parts in folders)
    return Proposal("class folders", source, order, guess, notes=notes)


def _folders(source: Path) -> set[str]:
    return {path.name for path in source.iterdir() if path.is_dir() and path.name[0] != "."}


def _patients_of_level(levels: Levels, folders: Sequence[tuple[str, ...]]) -> PatientsGuess | None:
    """Take the folders of a level below the class for patients."""
    if levels.patient is None:
        return None
    names = {parts[levels.patient] for parts in folders}
    in_classes = {(parts[0], parts[levels.patient]) for parts in folders}
    told = f"{len(names)} patients, a folder each below the classes"
    if len(in_classes) > len(names):
        told += (
            f"; {len(in_classes) - len(names)} names stand in another class too and are taken for "
            "the same people: where each class numbers its own, let the group take the class along"
        )
    return PatientsGuess({"pattern": "^" + "[^/]+/" * levels.patient + "([^/]+)/"}, told)


def _rearranged(
    source: Path,
    images: Sequence[Path],
    relative: Sequence[str],
    folders: Sequence[tuple[str, ...]],
    levels: Levels,
    notes: tuple[str, ...],
) -> Proposal:
    """Make a manifest where the classes are not the first folders."""
    columns = {"image": list(relative), "label": [parts[levels.label] for parts in folders]}
    guess = patients_in_headers(images)
    if levels.split is not None:
        columns["split"] = [SPLITS[parts[levels.split].lower()] for parts in folders]
    if levels.patient is not None and guess is None:
        columns["patient"] = [parts[levels.patient] for parts in folders]
        count = len(set(columns["patient"]))
        guess = PatientsGuess({"column": "patient"}, f"{count} patients, a folder each")
    words = ["splits"] * (levels.split is not None) + ["patients"] * (levels.patient is not None)
    guess = guess or patients_in_names(relative, below_class=False)
    return Proposal(
        f"folders of {' and '.join([*words, 'classes'])}",
        source,
        order_classes(columns["label"]),
        guess,
        {"root": source},
        pd.DataFrame(columns),
        {"source": f"a row an image; the label is the {_ordinal(levels.label)} folder's name"},
        notes,
    )


def _ordinal(level: int) -> str:
    return ("first", "second", "third")[level] if level < 3 else f"{level + 1}th"


def _why_no_labels(source: Path, images: Sequence[Path]) -> str:
    folders = sorted(
        {path.relative_to(source).parts[0] for path in images if path.parent != source}
    )
    if not folders:
        return f"nothing tells the labels: its {len(images)} images lie in no class folder"
    return (
        f"nothing tells the labels: its folders ({some(folders)}) look like patients, examinations "
        "or parts of a set, not like classes"
    )
