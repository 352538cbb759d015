"""What a DICOM header says of its pixels: look-up tables, windows, distances."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from raymed.config import AS_FILES_SAY, Intensity
from raymed.data.pixels.intensity import Limits

Values = npt.NDArray[Any]

_COLOURS = ("Red", "Green", "Blue")
PIXELS = [
    "SOPClassUID",
    "NumberOfFrames",
    "Rows",
    "BitsAllocated",
    "BitsStored",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PixelPaddingValue",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "PixelSpacing",
    "PixelAspectRatio",
    "PaletteColorLookupTableUID",
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in _COLOURS
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in _COLOURS),
]
"""Attributes that pixels are shown by."""

_WINDOWED = (0.0, 65535.0)


def shown_values(
    header: pydicom.Dataset, stored: Values, frame: int, rule: Intensity
) -> tuple[Values, Limits | None]:
    """Apply what stands before the line to 8 bits; returns values and limits, if any are said."""
    kind = str(header.get("PhotometricInterpretation", ""))
    if kind == "PALETTE COLOR":
        colours = apply_color_lut(stored, header)
        return colours, (0, float(np.iinfo(colours.dtype).max))
    if stored.ndim == 3:
        return stored, (0, 2.0 ** int(header.BitsStored) - 1)
    values = apply_modality_lut(stored, _group(header, frame, "PixelValueTransformationSequence"))
    voi = _voi(_group(header, frame, "FrameVOILUTSequence"))
    if rule == AS_FILES_SAY and "VOILUTSequence" in voi:
        depth = int(voi.VOILUTSequence[0].LUTDescriptor[2])
        whole = np.rint(values).astype(np.int64)
        return apply_voi_lut(whole, voi), (0, 2.0**depth - 1)
    if rule == AS_FILES_SAY and "WindowWidth" in voi:
        return apply_voi_lut(values, voi), _WINDOWED
    bits = int(header.BitsStored)
    return values, (0, 2.0**bits - 1) if values.dtype == np.uint8 else None


def _group(header: pydicom.Dataset, frame: int, name: str) -> pydicom.Dataset:
    """Find what is said of a frame: beside it, of all frames, or in the header itself."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.get("SharedFunctionalGroupsSequence") or []
    for groups in [*per_frame[frame : frame + 1], *shared]:
        if groups.get(name):
            item: pydicom.Dataset = groups[name][0]
            return item
    return header


def spacing_of(header: pydicom.Dataset, frame: int) -> tuple[float, float]:
    """Give the distance of rows and of columns, in millimetres or as a ratio; equal if unsaid."""
    measures = _group(header, frame, "PixelMeasuresSequence")
    said = measures.get("PixelSpacing") or header.get("PixelAspectRatio")
    try:
        row, column = (float(value) for value in said or (1, 1))
    except (TypeError, ValueError):
        return 1, 1
    return row, column


def _voi(said: pydicom.Dataset) -> pydicom.Dataset:
    """Take window or VOI LUT, where usable, with an output of 0 to 65535."""
    taken = pydicom.Dataset()
    taken.PhotometricInterpretation = "MONOCHROME2"
    taken.BitsStored, taken.PixelRepresentation = 16, 0
    if said.get("VOILUTSequence"):
        taken.set_original_encoding(*said.original_encoding)  # of the table's bytes
        taken.VOILUTSequence = said.VOILUTSequence
        return taken
    width, centre = (_first(said.get(name)) for name in ("WindowWidth", "WindowCenter"))
    function = str(said.get("VOILUTFunction") or "LINEAR").upper()
    if centre is not None and width is not None and width >= (1 if function == "LINEAR" else 1e-9):
        taken.WindowCenter, taken.WindowWidth, taken.VOILUTFunction = centre, width, function
    return taken


def _first(value: Any) -> float | None:
    """Give the first of one or several numbers."""
    if isinstance(value, str) or value is None:
        return None
    several = list(value) if hasattr(value, "__iter__") else [value]
    return float(several[0]) if several else None
