"""Pictures: PNG, JPEG, TIFF, GIF and whatever else Pillow opens; 16 bits are kept.

Grey deeper than 8 bits goes from its least to its greatest value, colour over its whole type.
Where a picture is transparent, it lies on black.
"""

import hashlib
import io
import struct
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from raymed.config import Intensity, Slices
from raymed.data.pixels.content import Content
from raymed.data.pixels.contract import Frame, numbered_frames
from raymed.data.pixels.intensity import eight_bits, own_limits
from raymed.errors import InputError

_PLAIN = frozenset({"1", "L", "LA", "RGB", "RGBA", "P", "PA", "CMYK", "YCbCr"})
_DEEP = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})
_SEVERAL = frozenset({"TIFF", "GIF", "WEBP"})  # a PNG's or JPEG's further images are previews
_BROKEN = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError),
    *(TypeError, UserWarning, ValueError, struct.error),
)
_BITS, _PHOTOMETRIC, _SUBFILE = 258, 262, 254  # tags of TIFF
_WHITE_IS_ZERO = 0


class PictureFile:
    """A picture, or several in one TIFF, GIF or WebP."""

    def __init__(self, content: Content) -> None:
        self._content, self._path = content, content.place

    def frames(self, slices: Slices) -> tuple[str, ...]:
        """Number the pictures; a TIFF's reduced copies are left out."""
        with self._content.open() as file:
            return numbered_frames(len(self._places(self._opened(file))))

    def facts(self) -> Mapping[str, str]:
        """Tell nothing."""
        return {}

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read a picture; one of several must be named."""
        with self._content.open() as file:
            if not frame and self._is_one(file):
                file = io.BytesIO(file.read())  # what is read later needs no open file
            image = self._opened(file)
            self._loaded(image, self._place(image, frame))
            if (deep := _deep_colour(image, file)) or image.mode in _DEEP:
                values = self._deep(image, file) if deep else np.asarray(_upright(image))
                return self._to_eight_bits(values, image, frame, rule)
            if image.mode not in _PLAIN:
                fault = f"has pixels of mode {image.mode}"
                raise InputError(self._path, fault, "convert it to 8 bits")
            if frame or _is_transparent(image):
                return Frame.of_pixels(np.asarray(on_black(_upright(image))))
            file.seek(0)
            return Frame(image, hashlib.sha256(file.read()).hexdigest())

    def close(self) -> None:
        """Do nothing: no file is held."""

    def _is_one(self, file: IO[bytes]) -> bool:
        """Tell whether it holds one picture; the file's place stays at its start."""
        start = file.read(12)
        file.seek(0)
        if not (start.startswith((b"II", b"MM", b"GIF")) or start[8:] == b"WEBP"):
            return True
        several = len(self._places(self._opened(file))) > 1
        file.seek(0)
        return not several

    def _place(self, image: Image.Image, frame: str) -> int:
        places = self._places(image)
        if not frame and len(places) > 1:
            name = f"{PurePosixPath(self._path).name}::0"
            raise InputError(self._path, f"holds {len(places)} images", f"name one, as {name}")
        if int(frame or 0) >= len(places):
            raise InputError(f"{self._path}::{frame}", f"it holds {len(places)} images only")
        return places[int(frame or 0)]

    def _opened(self, file: IO[bytes]) -> Image.Image:
        try:
            return Image.open(file)
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            kind = "no image that can be read" if "cannot identify" in str(error) else str(error)
            raise InputError(self._path, kind) from None
        except _BROKEN as error:
            raise self._broken(error) from None

    def _places(self, image: Image.Image) -> list[int]:
        """List the images that count."""
        if image.format not in _SEVERAL:
            return [0]
        try:
            places = range(getattr(image, "n_frames", 1))
            if image.format == "TIFF" and len(places) > 1:
                return [place for place in places if not self._is_reduced(image, place)] or [0]
        except _BROKEN as error:
            raise self._broken(error) from None
        return list(places)

    @staticmethod
    def _is_reduced(image: Any, place: int) -> bool:
        image.seek(place)
        return bool(image.tag_v2.get(_SUBFILE, 0) & 1)

    def _loaded(self, image: Image.Image, place: int) -> None:
        try:
            image.seek(place)
            image.load()
        except Image.DecompressionBombError as error:
            raise InputError(self._path, str(error)) from None
        except _BROKEN as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> InputError:
        return InputError(self._path, f"broken or truncated ({error})")

    def _deep(self, image: Image.Image, file: IO[bytes]) -> npt.NDArray[Any]:
        """Read what Pillow would cut to 8 bits a channel."""
        try:
            import imagecodecs
        except ImportError:
            raise InputError(
                self._path,
                "has over 8 bits a colour channel, and no decoder of them is installed",
                "pip install 'raymed[deep]', which brings imagecodecs; or convert it to 8 bits",
            ) from None
        file.seek(0)
        try:
            if image.format == "PNG":
                return np.asarray(imagecodecs.png_decode(file.read()))
            return np.asarray(imagecodecs.tiff_decode(file.read(), index=image.tell()))
        except _BROKEN as error:
            raise self._broken(error) from None

    def _to_eight_bits(
        self, values: npt.NDArray[Any], image: Image.Image, frame: str, rule: Intensity
    ) -> Frame:
        tags = getattr(image, "tag_v2", {})
        said = own_limits(values)
        if values.ndim == 3:
            kind = values.dtype
            said = (0, float(np.iinfo(kind).max)) if kind.kind == "u" else said
            colours = values.shape[2] - (values.shape[2] in (2, 4))
            if colours < values.shape[2] and said is not None:
                values = values[..., :colours] * (values[..., colours:] / said[1])
            values = values[..., 0] if colours == 1 else values[..., :3]
        inverted = values.ndim == 2 and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        place = f"{self._path}::{frame}" if frame else self._path
        return Frame.of_pixels(eight_bits(values, place, rule, said, inverted=inverted))


def on_black(image: Image.Image) -> Image.Image:
    """Bring an 8-bit image to L or RGB; what is transparent shows the black behind it."""
    grey = image.mode in ("1", "L", "LA")
    if not _has_alpha(image):
        return image.convert("L" if grey else "RGB")
    if not grey:
        image = image.convert("RGBA")
    bands = image.split()
    black, alpha = Image.new("L", image.size), bands[-1]
    shown = [Image.composite(band, black, alpha) for band in bands[:-1]]
    return shown[0] if grey else Image.merge("RGB", shown)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info


def _is_transparent(image: Image.Image) -> bool:
    """Tell whether anything behind it shows."""
    if not _has_alpha(image):
        return False
    return bool(np.asarray(image.convert("RGBA").getchannel("A")).min() < 255)


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image)


def _deep_colour(image: Image.Image, file: IO[bytes]) -> bool:
    """Tell whether it has several channels of over 8 bits, which Pillow cuts without a word."""
    if image.format == "PNG":
        file.seek(24)
        bits, kind = file.read(2)  # of its header
        return bits > 8 and kind in (2, 4, 6)
    depths = getattr(image, "tag_v2", {}).get(_BITS, ())
    return image.format == "TIFF" and len(depths) > 1 and max(depths) > 8
