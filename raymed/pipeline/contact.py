"""The contact sheet of proposed groups: a strip of small images each, for the report."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from raymed.files import whole_file

_SHOWN = 6
_QUALITY = 80  # of WebP


def write_contact_sheet(
    file: Path,
    audit: Mapping[str, Any],
    sample_ids: Sequence[str],
    thumbnails: npt.NDArray[np.uint8],
) -> None:
    """Write a row for each of some groups: their ids, and their images side by side as WebP."""
    row_of = {sample: row for row, sample in enumerate(sample_ids)}
    groups = audit["hidden_groups"]["groups"]
    rows = [
        {
            "group": groups[shown[0]],
            "sample_ids": shown,
            "images": _strip([thumbnails[row_of[sample]] for sample in shown]),
        }
        for shown in audit["hidden_groups"]["examples"][:_SHOWN]
    ]
    columns = [("group", pa.string()), ("sample_ids", pa.list_(pa.string()))]
    schema = pa.schema([*columns, ("images", pa.binary())])
    with whole_file(file) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema), temporary)


def _strip(images: Sequence[npt.NDArray[np.uint8]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.concatenate(images, axis=1)).save(file, "WEBP", quality=_QUALITY)
    return file.getvalue()
