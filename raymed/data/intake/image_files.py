"""The image files below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from raymed.data.intake.steps import EVERY, Step, Steps
from raymed.data.pixels import DICOM, kind_of_file
from raymed.errors import InputError
from raymed.stories import result_of

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
VOLUME_SUFFIXES = (".dcm", ".dicom", ".ima", ".nii", ".nii.gz")
IMAGE_SUFFIXES = frozenset(PICTURE_SUFFIXES + VOLUME_SUFFIXES)

_DIRECTORY = "dicomdir"  # lists the files beside it


def find_images(folder: Path) -> list[Path]:
    """List the images below a folder as `listing_images` does, without telling how far it is."""
    return result_of(listing_images(folder))


def listing_images(folder: Path, before: int = 0) -> Steps[list[Path]]:
    """List the images below a folder, hidden files left out, in a fixed order.

    They are known by suffix; files without one are images if they are DICOM. Links are followed,
    but for those that lead back to a folder they lie in. Raises `InputError` for a folder that
    may not be read. Steps count the images found, from `before` on.
    """
    found = []
    above = tuple(_identity(each) for each in folder.absolute().parents if each.exists())
    for number, path in enumerate(_files(folder, above), 1):
        if _is_image(path):
            found.append(path)
        if number % EVERY == 0:
            yield Step("listing images", before + len(found))
    return sorted(found)


def _files(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    try:
        own = _identity(folder)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(str(folder), f"cannot be read ({error.strerror or error})") from None
    if own in above:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if path.is_dir():
            yield from _files(path, (*above, own))
        elif path.is_file():
            yield path


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(tuple(IMAGE_SUFFIXES)):
        return True
    if name == _DIRECTORY or _has_suffix(name):
        return False
    try:
        return kind_of_file(str(path)) == DICOM
    except InputError:  # empty, or not to be read: without a suffix nothing says it is an image
        return False


def _has_suffix(name: str) -> bool:
    """Tell whether a name has a suffix: numbers, as in 1.2.840.7, are none."""
    suffix = Path(name).suffix
    return bool(suffix) and not suffix[1:].isdecimal()
