"""DICOM through pydicom: modality LUT, window, MONOCHROME1, several frames.

Of the header only what pixels and grouping need is read; patients' names and dates never are.
"""

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pydicom
from pydicom.pixels import get_decoder, iter_pixels
from pydicom.uid import UID

from raymed.config import AS_FILES_SAY, Intensity, Slices
from raymed.data.pixels.content import Content, first_bytes
from raymed.data.pixels.contract import Frame, numbered_frames
from raymed.data.pixels.dicom_values import PIXELS, Values, shown_values, spacing_of
from raymed.data.pixels.intensity import eight_bits
from raymed.errors import InputError

# Faulty values in headers are common, and a warning would print them.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\.")

FACTS = (
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Manufacturer",
    "ManufacturerModelName",
    "StationName",
    "InstitutionName",
)
"""Attributes for grouping."""

_CODECS = "'raymed[dicom]', which brings pylibjpeg and python-gdcm"


class DicomFile:
    """A DICOM file with one frame or several, which are read one at a time."""

    def __init__(self, content: Content) -> None:
        self._content, self._path = content, content.place

    @cached_property
    def _header(self) -> pydicom.Dataset:
        is_marked = first_bytes(self._content)[128:132] == b"DICM"
        try:
            with self._content.open() as file:
                header = pydicom.dcmread(
                    file,
                    stop_before_pixels=True,
                    force=not is_marked,
                    specific_tags=[*FACTS, *PIXELS],
                )
        except Exception as error:  # pydicom raises a dozen kinds; their texts may quote patients
            raise InputError(
                self._path, f"cannot be read as DICOM ({type(error).__name__})"
            ) from None
        return header

    def _refuse_without_pixels(self) -> None:
        if self._said("Rows") is not None:
            return
        kind = UID(str(self._said("SOPClassUID") or "")).name
        if kind:
            raise InputError(self._path, f"holds no pixel data (it is: {kind})", "leave it out")
        raise InputError(self._path, "is no DICOM image", "leave it out")

    def frames(self, slices: Slices) -> tuple[str, ...]:
        """Number the frames."""
        self._refuse_without_pixels()
        return numbered_frames(self._count)

    def facts(self) -> Mapping[str, str]:
        """Tell what `FACTS` names, as text, `""` where it is missing."""
        return {name: str(self._said(name) or "").strip() for name in FACTS}

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read a frame as a viewer shows it: its own window first, MONOCHROME1 inverted."""
        header, number = self._header, int(frame or 0)
        place = f"{self._path}::{frame}" if frame else self._path
        stored = self._stored(number)
        try:
            values, said = shown_values(header, stored, number, rule)
            padding, spacing = header.get("PixelPaddingValue"), spacing_of(header, number)
            is_inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
        except Exception as error:  # as above
            fault = f"what its header says of pixels cannot be applied ({type(error).__name__})"
            raise InputError(place, fault) from None
        known = values if padding is None else values[stored != padding]
        population = known if known.size else values
        rule = rule if values.ndim == 2 else AS_FILES_SAY
        pixels = eight_bits(values, place, rule, said, inverted=is_inverted, population=population)
        return Frame.of_pixels(pixels, spacing)

    def close(self) -> None:
        """Do nothing: no file is held."""

    def _said(self, name: str) -> Any:
        """Give what the header says, None where it says nothing; values are parsed here."""
        header = self._header
        try:
            return header.get(name)
        except Exception as error:  # as above
            fault = f"its {name} cannot be read ({type(error).__name__})"
            raise InputError(self._path, fault) from None

    @property
    def _count(self) -> int:
        try:
            count = max(1, int(self._said("NumberOfFrames") or 1))
        except (TypeError, ValueError):
            raise InputError(self._path, "its NumberOfFrames is no number") from None
        if count > self._content.size:
            raise InputError(self._path, f"its {count} frames are more than it has bytes")
        return count

    def _stored(self, frame: int) -> Values:
        self._refuse_without_pixels()
        if frame >= self._count:
            raise InputError(f"{self._path}::{frame}", f"it holds {self._count} frames only")
        remedy = self._refuse_missing_codec()
        try:
            with self._content.open() as file:
                return next(iter_pixels(file, indices=[frame], force=True))
        except Exception as error:  # every decoder raises its own
            if isinstance(error, AttributeError) and "no pixel data" in str(error):
                raise InputError(self._path, "holds no pixel data", "leave it out") from None
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            fault = f"its pixels cannot be decoded ({reason})"
            raise InputError(self._path, fault, remedy) from None

    def _refuse_missing_codec(self) -> str:
        """Refuse pixels that nothing here decodes; returns what may help if decoding fails."""
        syntax = UID(str(getattr(self._header.file_meta, "TransferSyntaxUID", "")))
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            if not syntax:
                return ""  # without one, pydicom guesses from the file
            raise InputError(
                self._path, f"its pixels are {syntax.name}, which pydicom cannot decode"
            ) from None
        if not decoder.is_available:
            raise InputError(
                self._path,
                f"its pixels are {syntax.name}, and no decoder of them is installed",
                f"pip install {_CODECS}",
            )
        others = "; ".join(decoder.missing_dependencies)
        return f"decoders that are not installed: {others}" if others else ""
