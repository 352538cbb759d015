"""A table as a source: the columns that name images, labels, patients, sites and splits."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from raymed.data.intake.image_files import find_images
from raymed.data.intake.keyed import read_table
from raymed.data.pixels import split_reference
from raymed.data.proposal.columns import label_column, patient_column, site_column, split_column
from raymed.data.proposal.contract import PatientsGuess, Proposal
from raymed.data.proposal.headers import all_dicom, headers_of, patients_in_headers
from raymed.data.proposal.matching import Match, match_rows
from raymed.data.proposal.ordering import order_classes
from raymed.data.proposal.paths import patients_in_names
from raymed.errors import InputError, some

_MOST_FOLDERS = 50


def propose_table(path: Path, images: Sequence[Path] | None = None) -> Proposal:
    """Propose a table, of the images in a folder where these are given.

    Paths that can be followed make the table itself the manifest; else one is made, of the rows
    that name an image. Raises `InputError` where no column names images, or none holds labels, or
    where the table names fewer than half of the images given.
    """
    table = read_table(path)
    if table.empty:
        raise InputError(str(path), "has no rows")
    found = _followed(table, path.parent)
    if found is not None:
        column, root = found
        label = _label(table, path, [column])
        told = table[label].str.strip()
        if (told != "").all() and (told == table[label]).all():
            named = {root / split_reference(value)[0] for value in table[column].str.strip()}
            _refuse_few(path, sum(_is_named(each, named) for each in images or ()), images)
            return _as_it_lies(table, path, column, label, root)
    return _made(table, path, images)


def _is_named(image: Path, named: set[Path]) -> bool:
    """Tell whether an image is named, by itself or by a folder above it."""
    return image in named or any(folder in named for folder in image.parents)


def _refuse_few(path: Path, named: int, images: Sequence[Path] | None) -> None:
    if images is not None and 2 * named < len(images):
        fault = f"names {named} of {len(images)} images only"
        raise InputError(str(path), fault, "give a table of all images, or class folders")


def _label(table: pd.DataFrame, path: Path, besides: Collection[str]) -> str:
    label = label_column(table, besides)
    if label is None:
        raise InputError(
            str(path),
            f"no column is known to hold the labels: {some(list(table.columns), 20)}",
            "rename the one that does to label",
        )
    return label


def _followed(table: pd.DataFrame, folder: Path) -> tuple[str, Path] | None:
    """Find the column whose every value is a path, and the folder that these start at."""
    below = sorted(path for path in folder.iterdir() if path.is_dir())[:_MOST_FOLDERS]
    for column in table.columns:
        values = table[column].astype(str).str.strip()
        if values.nunique() < len(values) or (values == "").any():
            continue
        for root in (folder, *below):
            paths = (root / split_reference(value)[0] for value in values)
            if all(_is_there(path) for path in paths):
                return str(column), root
    return None


def _is_there(path: Path) -> bool:
    try:
        return path.exists() and (path.is_dir() or path.suffix.lower() not in (".csv", ".tsv"))
    except OSError:  # too long for a path: it is none
        return False


def _as_it_lies(table: pd.DataFrame, path: Path, image: str, label: str, root: Path) -> Proposal:
    known = [image, label]
    named = {"image_column": image, "label_column": label}
    settings: dict[str, object] = {
        key: value for key, value in named.items() if value != key.removesuffix("_column")
    }
    for key, find in (("site_column", site_column), ("split_column", split_column)):
        column = find(table, known)
        if column is not None and column != key.removesuffix("_column"):
            settings[key] = column
    why = {"image_column": "every value is a file's path"} if "image_column" in settings else {}
    if root != path.parent:
        settings["root"] = root
        why["root"] = "the folder that the paths in the table start at"
    column = patient_column(table, known)
    if column is not None:
        count = table[column].str.strip().nunique()
        guess: PatientsGuess | None = PatientsGuess(
            {"column": column}, f"{count} patients, by the table's column {column!r}"
        )
    else:
        names = [split_reference(value)[0] for value in table[image].str.strip()]
        guess = patients_in_headers([root / name for name in names])
        guess = guess or patients_in_names(names, below_class=False)
    order = order_classes(table[label].str.strip())
    return Proposal("a manifest", path, order, guess, settings, why=why)


def _made(table: pd.DataFrame, path: Path, images: Sequence[Path] | None) -> Proposal:
    """Make a manifest of the rows that name images and have a label."""
    root = path.parent
    files = find_images(root) if images is None else images
    if not files:
        raise InputError(str(path), f"no image lies below {root}", "put the table above the images")
    relative = [file.relative_to(root).as_posix() for file in files]
    match = match_rows(table, relative)
    if match is None and all_dicom(files):
        match = match_rows(table, relative, headers_of(files)["PatientID"])
    if match is None:
        raise InputError(
            str(path),
            f"no column names the {len(files)} images below {root}: columns are "
            f"{some(list(table.columns), 20)}; the first image is {relative[0]}",
            "add a column image with the path of each",
        )
    label = _label(table, path, [match.column])
    manifest, patients = _joined(table, match, relative, label)
    _refuse_few(path, len(manifest), images)
    guess = patients_in_headers(files) or patients
    if guess is not None and guess is not patients:
        manifest = manifest.drop(columns="patient", errors="ignore")
    if guess is None:
        guess = patients_in_names(list(manifest["image"]), below_class=False)
    return Proposal(
        f"{len(files)} images, with labels in {path.name}",
        path,
        order_classes(manifest["label"]),
        guess,
        {"root": root},
        manifest,
        {"source": f"rows of {path.name}, which name images by {match.how} ({match.column})"},
        _left_out(table, len(files), len({row for row, _ in match.pairs}), manifest),
    )


def _joined(
    table: pd.DataFrame, match: Match, images: Sequence[str], label: str
) -> tuple[pd.DataFrame, PatientsGuess | None]:
    """Give the table of images with labels, and where it says whose they are."""
    columns = {"label": label}
    patient = patient_column(table, [label])
    if patient is None and match.how not in ("path", "name"):
        patient = match.column
    for name, column in (
        ("patient", patient),
        ("site", site_column(table, [label])),
        ("split", split_column(table, [label])),
    ):
        if column is not None:
            columns[name] = column
    rows = [row for row, _ in match.pairs]
    made = {name: table[column].iloc[rows].str.strip().tolist() for name, column in columns.items()}
    manifest = pd.DataFrame({"image": [images[image] for _, image in match.pairs], **made})
    manifest = manifest[manifest["label"] != ""].sort_values("image", ignore_index=True)
    if patient is None:
        return manifest, None
    count = manifest["patient"].nunique()
    return manifest, PatientsGuess({"column": "patient"}, f"{count} patients, by {patient!r}")


def _left_out(
    table: pd.DataFrame, images: int, named: int, manifest: pd.DataFrame
) -> tuple[str, ...]:
    """Say which rows and images are not in the manifest."""
    notes = []
    if named < len(table):
        notes.append(f"{len(table) - named} of {len(table)} rows name no image: they are left out")
    if len(manifest) < images:
        notes.append(f"{images - len(manifest)} of {images} images have no label: left out")
    return tuple(notes)
