"""The gallery, where a run drew one: each case's image, plain and coloured by its saliency map."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from plotly.colors import hex_to_rgb, sequential

from raymed.data.shown_ids import ShownIds
from raymed.runs import RunFolder
from raymed.tables import read_parquet

COLOURS = np.array([hex_to_rgb(each) for each in sequential.Viridis], dtype=np.float64)
"""From nothing to the most: even steps to the eye, also where it tells red from green badly."""
OPACITY = 0.7  # where the map is largest
QUALITY = 85  # of WebP


@dataclass(frozen=True)
class Card:
    """One case. `image` and `overlay` are data URIs; no overlay where the member gives no map."""

    sample_id: str  # as it is shown
    patient: str  # the same
    images: int  # of the patient, that the probability is the mean of
    label: str
    predicted: str
    probability: float  # of `predicted`
    members: Sequence[Mapping[str, Any]]  # name, predicted, probability
    side: tuple[int, int]  # width and height, pixels
    image: str
    overlay: str | None


@dataclass(frozen=True)
class Gallery:
    """What one member saw in the cases; `fault` says why it shows no maps."""

    member: str
    fault: str
    grid: tuple[int, int]  # places of a map, across and down; none with a fault
    cards: Mapping[str, Mapping[bool, Sequence[Card]]]  # by split, then by whether it is right


def read_gallery(run: RunFolder, ids: ShownIds) -> Gallery | None:
    """Read what `raymed build` drew; None where the experiment asks for none, or none is there."""
    if not run.experiment().evaluate.gallery or not run.gallery_file.is_file():
        return None
    table = read_parquet(run.gallery_file)
    facts = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    cards: dict[str, dict[bool, list[Card]]] = {}
    grid = (0, 0)
    for stored in table.to_pylist():
        if stored["saliency"] is not None:
            grid = _opened(stored["saliency"]).size
        stored["sample_id"] = ids.sample(stored["sample_id"])
        stored["patient"] = ids.patient(stored["patient"])
        split = cards.setdefault(stored.pop("split"), {False: [], True: []})
        split[stored.pop("right")].append(_card(**stored))
    return Gallery(facts["member"], facts["fault"], grid, cards)


def coloured(image: Image.Image, saliency: Image.Image) -> Image.Image:
    """Lay colours over an image, the more opaque the more a place of the map's grid counts."""
    smooth = saliency.resize(image.size, Image.Resampling.BILINEAR)
    share = np.asarray(smooth, dtype=np.float64) / 255
    places = np.linspace(0, 1, len(COLOURS))
    colour = np.stack([np.interp(share, places, channel) for channel in COLOURS.T], axis=-1)
    opacity = OPACITY * share[..., np.newaxis]
    mixed = (1 - opacity) * np.asarray(image.convert("RGB")) + opacity * colour
    return Image.fromarray(mixed.round().astype(np.uint8))


def _card(image: bytes, saliency: bytes | None, **facts: Any) -> Card:
    plain = _opened(image)
    overlay = None if saliency is None else _data_uri(coloured(plain, _opened(saliency)))
    return Card(**facts, side=plain.size, image=_data_uri(plain), overlay=overlay)


def _opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def _data_uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
