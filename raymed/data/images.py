"""Single images: opening, checking, bringing to a size."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from raymed.errors import InputError

Pixels = npt.NDArray[np.uint8]
_GREY, _COLOUR = frozenset({"1", "L", "LA"}), frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})


@dataclass(frozen=True)
class Inspection:
    """What opening one image tells: its content's SHA-256, 1 or 3 channels, or its fault."""

    checksum: str = ""
    channels: int = 0
    fault: InputError | None = None


def inspect_images(references: Sequence[str]) -> Iterator[Inspection]:
    """Open every image, in order; a fault is told, not raised, so that all can be named."""
    yield from _in_threads(_inspect, references)


def load_images(references: Sequence[str], size: int, channels: int) -> Iterator[Pixels]:
    """Decode images one by one as uint8 [size, size] (1 channel) or [size, size, 3].

    The picture keeps its proportions: it is scaled to fit, centred, and padded with black.
    """
    yield from _in_threads(lambda item: prepare(_open(*item), size, channels), references)


def prepare(image: Image.Image, size: int, channels: int) -> Pixels:
    """Bring an opened image to its number of channels and its size."""
    if "transparency" in image.info:
        image = image.convert("RGBA")  # PIL warns where a palette's transparency is dropped at once
    upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
    if upright.size != (size, size):
        upright = ImageOps.pad(upright, (size, size), method=Image.Resampling.BICUBIC)
    return np.asarray(upright)


Content = tuple[str, Pixels | None]
Result = TypeVar("Result")


def _in_threads(work: Callable[[Content], Result], references: Sequence[str]) -> Iterator[Result]:
    """Work on images in two threads, in order, a part at a time so that little is held."""
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(references), 512):
            yield from pool.map(work, _with_arrays(references[start : start + 512]))


def _with_arrays(references: Sequence[str]) -> list[Content]:
    """Pair each reference with its pixels where it points into an npz, read once a file."""
    arrays: dict[str, Pixels] = {}
    items: list[Content] = []
    for reference in references:
        file, inside, place = reference.partition(".npz::")
        if not inside:
            items.append((reference, None))
            continue
        name, _, row = place.partition("/")
        key = f"{file}.npz::{name}"
        if key not in arrays:
            arrays[key] = _npz_array(Path(f"{file}.npz"), name)
        items.append((reference, arrays[key][int(row)]))
    return items


def _npz_array(path: Path, name: str) -> Pixels:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            pixels: Pixels = arrays[name]
            return pixels
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(str(path), f"cannot be read as npz ({error})") from None


def _open(reference: str, pixels: Pixels | None) -> Image.Image:
    if pixels is not None:
        return Image.fromarray(pixels)
    return _decode(_read(reference), reference)


def _read(reference: str) -> bytes:
    try:
        return Path(reference).read_bytes()
    except FileNotFoundError:
        raise InputError(reference, "no such image") from None
    except OSError as error:
        raise InputError(reference, f"cannot be read ({error.strerror or error})") from None


def _decode(content: bytes, place: str) -> Image.Image:
    if not content:
        raise InputError(place, "the file is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        kind = "no image that can be read" if "cannot identify" in str(error) else str(error)
        raise InputError(place, kind) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(place, f"broken or truncated ({error})") from None
    if image.mode not in _GREY | _COLOUR:
        raise InputError(
            place, f"has pixels of mode {image.mode}, more than 8 bits", "convert it to 8 bits"
        )
    return image


def _inspect(item: Content) -> Inspection:
    reference, pixels = item
    if pixels is not None:
        shape = np.asarray(pixels.shape, dtype=np.int64).tobytes()
        sum_ = hashlib.sha256(shape + pixels.tobytes()).hexdigest()
        return Inspection(sum_, 3 if pixels.ndim == 3 else 1)
    try:
        content = _read(reference)
        image = _decode(content, reference)
    except InputError as error:
        return Inspection(fault=error)
    return Inspection(hashlib.sha256(content).hexdigest(), 1 if image.mode in _GREY else 3)
