"""The contact sheet of the audit: small images of proposed groups and of odd pictures."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from raymed.files import whole_file

_SHOWN = 6
_QUALITY = 80  # of WebP
_OUTLINE = (213, 94, 0)

Pixels = npt.NDArray[np.uint8]


def write_contact_sheet(
    file: Path,
    audit: Mapping[str, Any],
    sample_ids: Sequence[str],
    thumbnails: Pixels,
) -> None:
    """Write a row for each of some groups and each way of being odd, images side by side as WebP.

    Column `about` is `hidden` for proposed groups, else the key of the audit's `pictures`.
    """
    row_of = {sample: row for row, sample in enumerate(sample_ids)}
    groups = audit["hidden_groups"]["groups"]
    rows = [
        {"about": "hidden", "group": groups[shown[0]], "sample_ids": shown}
        for shown in audit["hidden_groups"]["examples"][:_SHOWN]
    ]
    rows += _odd(audit.get("pictures"))
    for each in rows:
        images = [thumbnails[row_of[sample]] for sample in each["sample_ids"]]
        each["images"] = _strip(_outlined(images, each.pop("boxes", None)))
    columns = [("about", pa.string()), ("group", pa.string())]
    columns += [("sample_ids", pa.list_(pa.string())), ("images", pa.binary())]
    with whole_file(file) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(columns)), temporary)


def _odd(pictures: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    if pictures is None:
        return
    for way, odd in pictures["odd"].items():
        if odd["examples"]:
            yield {"about": way, "group": "", "sample_ids": odd["examples"]}
    marks = pictures["marks"]
    if marks["examples"]:
        boxes = [_in_square(marks["places"][0]["box"], size) for size in marks["sizes"]]
        yield {"about": "marks", "group": "", "sample_ids": marks["examples"], "boxes": boxes}


def _in_square(box: Sequence[float], size: Sequence[int]) -> tuple[float, ...]:
    """Give left, top, right and bottom of a picture's box in the square that it is padded to."""
    width, height = (side / max(size) for side in size)
    top, left, tall, wide = box
    return (
        (1 - width) / 2 + left * width,
        (1 - height) / 2 + top * height,
        (1 - width) / 2 + (left + wide) * width,
        (1 - height) / 2 + (top + tall) * height,
    )


def _outlined(
    images: Sequence[Pixels], boxes: Sequence[tuple[float, ...]] | None
) -> Sequence[Pixels]:
    if boxes is None:
        return images
    drawn = []
    for pixels, box in zip(images, boxes, strict=True):
        image = Image.fromarray(pixels).convert("RGB")
        left, top, right, bottom = (side * image.width for side in box)
        outline = (left - 2, top - 2, right + 1, bottom + 1)
        ImageDraw.Draw(image).rectangle(outline, outline=_OUTLINE)
        drawn.append(np.asarray(image))
    return drawn


def _strip(images: Sequence[Pixels]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.concatenate(images, axis=1)).save(file, "WEBP", quality=_QUALITY)
    return file.getvalue()
