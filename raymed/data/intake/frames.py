"""From files to samples: a sample a frame, with what DICOM headers say of its origin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from raymed.config import DataConfig, Slices
from raymed.data.intake.image_files import find_images
from raymed.data.intake.keyed import column_of
from raymed.data.intake.pseudonyms import Pseudonyms
from raymed.data.intake.steps import EVERY, Step, Steps
from raymed.data.pixels import Container, join_reference, split_reference
from raymed.data.pixels.contract import holds_files
from raymed.data.pixels.in_turn import Reference, in_turn
from raymed.errors import InputError, some
from raymed.stories import result_of

PREFIX = "dicom:"
"""Before the names of columns that come from DICOM headers."""

_AS_IT_STANDS = ("Manufacturer", "ManufacturerModelName")
_ONE_IMAGE = (".png", ".jpg", ".jpeg", ".bmp")  # need no look before they are opened
UNREADABLE = "unreadable: "
IDS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")


_Row = dict[str, object]


@dataclass(frozen=True)
class Looked:
    """A file's frames and facts; `broken`, as opening it will tell again, neither."""

    frames: tuple[str, ...] = ("",)
    facts: Mapping[str, str] | None = None
    broken: bool = False


def split_into_frames(samples: pd.DataFrame, data: DataConfig) -> Steps[pd.DataFrame]:
    """Make a sample of every frame of every file, and of every file of a row's folder.

    Ids become `id::frame` where a row holds several; `whole` and `relative` stay the row's own id
    and path. What DICOM files say comes in columns `dicom:<attribute>`, all but manufacturer and
    model as pseudonyms; these two fill an empty `site`. Raises `InputError` for a row's folder
    with several patients.
    """
    samples = samples.assign(whole=samples["sample_id"])
    rows = yield from _all_files(samples)
    listed = yield from list_files([str(row["image"]) for row in rows], data.slices)
    if len(rows) == len(samples) and all(found == Looked() for found in listed):
        return _with_site(samples, data)
    secret = None if data.patients is None else data.patients.secret
    names = pseudonyms_of(listed, secret)
    _refuse_mixed_folders(rows, listed)
    frames = [
        _frame(row, frame, found, names)
        for row, found in zip(rows, listed, strict=True)
        for frame in found.frames
    ]
    table = pd.DataFrame(frames).drop(columns="folder", errors="ignore")
    said = [name for name in table.columns if name.startswith(PREFIX)]
    return _with_site(table.fillna(dict.fromkeys(said, "")), data)


def _with_site(samples: pd.DataFrame, data: DataConfig) -> pd.DataFrame:
    """Take the site from the header where the configuration asks for an attribute of it."""
    if not data.site_column.startswith(PREFIX):
        return samples
    return samples.assign(site=column_of(samples, data.site_column, str(data.source)))


def list_files(references: list[str], slices: Slices) -> Steps[list[Looked]]:
    """Look into files that may hold several frames or say where they come from; in threads."""
    listed: list[Looked] = []
    for found in in_turn(lambda reference: _look(reference, slices), references):
        listed.append(found)
        if len(listed) % EVERY == 0 or len(listed) == len(references):
            yield Step("looking into files", len(listed), len(references))
    return listed


def references_of(images: list[str], slices: Slices) -> list[list[str]]:
    """Name all frames of each image."""
    listed = result_of(list_files(images, slices))
    return [
        [join_reference(image, frame) for frame in found.frames]
        for image, found in zip(images, listed, strict=True)
    ]


def _look(reference: Reference, slices: Slices) -> Looked:
    path, frame = reference.path, reference.frame
    if path.lower().endswith(_ONE_IMAGE) or (frame and not holds_files(path)):
        return Looked()
    try:
        file = reference.opened()
        if isinstance(file, Container):
            member, inner = split_reference(frame)
            if inner or file.name(member).lower().endswith(_ONE_IMAGE):
                return Looked()
            file = file.inside(member)
        frames, facts = file.frames(slices), dict(file.facts())
    except InputError:
        return Looked(broken=True)
    return Looked(frames, facts or None)


def _all_files(samples: pd.DataFrame) -> Steps[list[_Row]]:
    """Give a row for each file, telling how many rows were looked at."""
    rows: list[_Row] = []
    for number, row in enumerate(_records(samples), 1):
        rows += _files_of(row)
        if number % EVERY == 0:
            yield Step("going through rows", number, len(samples))
    return rows


def _records(samples: pd.DataFrame) -> Iterator[_Row]:
    names = [str(name) for name in samples.columns]
    for values in samples.itertuples(index=False):
        yield dict(zip(names, values, strict=True))


def _files_of(row: _Row) -> Iterator[_Row]:
    """Give a row for each file of its folder; the row itself where it names a file."""
    path = Path(str(row["image"]))
    files = find_images(path) if path.is_dir() else []
    if not files:  # opening it tells what is wrong with an empty folder
        yield row
    for file in files:
        inside = file.relative_to(path).as_posix()
        own = {"sample_id": f"{row['sample_id']}/{inside}", "image": str(file)}
        yield {**row, **own, "folder": str(path)}


def _frame(row: _Row, frame: str, found: Looked, names: Pseudonyms) -> _Row:
    made = {"image": join_reference(str(row["image"]), frame)}
    if frame:
        made["sample_id"] = join_reference(str(row["sample_id"]), frame)
    said = {
        PREFIX + name: value if name in _AS_IT_STANDS else names.of(name, value)
        for name, value in (found.facts or {}).items()
    }
    if found.broken:  # each its own patient, until it is refused or left out
        said = dict.fromkeys([PREFIX + name for name in IDS], UNREADABLE + str(row["image"]))
    if said and not row["site"]:
        made["site"] = " ".join(said.get(PREFIX + name, "") for name in _AS_IT_STANDS).strip()
    return {**row, **said, **made}


def pseudonyms_of(listed: list[Looked], secret: Path | None) -> Pseudonyms:
    """Take the key from a secret file, without one from the ids of all files together."""
    if secret is not None:
        return Pseudonyms.of_secret(secret)
    return Pseudonyms.of_data_set(found.facts for found in listed if found.facts)


def _refuse_mixed_folders(rows: list[_Row], listed: list[Looked]) -> None:
    """Refuse a row whose folder holds files of several patients; their ids stay untold."""
    people: dict[str, dict[str, str]] = {}
    for row, found in zip(rows, listed, strict=True):
        patient = (found.facts or {}).get("PatientID", "")
        if patient and "folder" in row:
            people.setdefault(str(row["folder"]), {}).setdefault(patient, str(row["image"]))
    for folder, examples in people.items():
        if len(examples) > 1:
            files = [Path(path).relative_to(folder).as_posix() for path in examples.values()]
            raise InputError(
                folder,
                f"holds files of {len(examples)} patients, an example of each: {some(files)}",
                "give each patient a folder and a row",
            )
