"""Pictures with something done to them, and what the audit says of a set of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from raymed.data.appearance.measuring import look_at
from raymed.data.audit.pictures.findings import picture_faults
from raymed.data.audit.pictures.judging import appearances, judge_pictures
from raymed.data.phantom import draw_phantoms

Judge = Callable[..., tuple[dict[str, Any], dict[str, str]]]


def lettered(image: Image.Image, text: str, share: float = 0.09) -> Image.Image:
    """Burn a letter into the upper left corner, so high."""
    drawn = image.copy()
    font = ImageFont.load_default(share * image.height)
    ImageDraw.Draw(drawn).text((3, 2), text, fill=255, font=font)
    return drawn


def letterboxed(image: Image.Image, share: float = 0.1) -> Image.Image:
    """Cover so much of it above and below with black."""
    pixels = np.array(image)
    width = round(share * len(pixels))
    pixels[:width] = pixels[-width:] = 0
    return Image.fromarray(pixels)


def textured(count: int, side: int = 64) -> list[Image.Image]:
    """Draw grey noise without any black, as tissue that fills a picture."""
    noise = np.random.default_rng(5).integers(60, 200, (count, side, side), dtype=np.uint8)
    return [Image.fromarray(each) for each in noise]


@pytest.fixture(scope="session")
def phantoms() -> list[Image.Image]:
    """A slice each of 80 people in four stages."""
    return [Image.fromarray(each) for each in draw_phantoms(80, 1).images]


@pytest.fixture(scope="session")
def judge(manifest_of) -> Judge:
    """Judge a set: the audit's part about pictures, and the severity of each finding by name."""

    def judged(
        images: Sequence[Image.Image],
        labels: Sequence[int] | None = None,
        people: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        **columns: Any,
    ) -> tuple[dict[str, Any], dict[str, str]]:
        labels = [row % 2 for row in range(len(images))] if labels is None else labels
        people = [f"p{row}" for row in range(len(images))] if people is None else people
        named = ["png"] * len(images) if kinds is None else kinds
        seen = appearances([look_at(*each) for each in zip(images, named, strict=True)])
        manifest = manifest_of(labels, people, **columns)
        found = judge_pictures(manifest, seen, manifest.patients)
        faults = picture_faults({"pictures": found, "class_by_site": None})
        return found, {each["name"]: each["severity"] for each in faults}

    return judged
