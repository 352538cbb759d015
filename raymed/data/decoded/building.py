"""Decoded images: decoded once, memory-mapped by every process of the node."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from raymed.data.arrays import new_array
from raymed.data.images import load_images
from raymed.data.intake.manifest import Manifest
from raymed.files import complete, digest, mark_complete, whole_file

PREPARATION = "pad-bicubic-1"
"""Names how an image is brought to its size; part of every cache's key."""

_FILE = "images.npy"


def image_file(cache: Path, manifest: Manifest, size: int) -> Path:
    """Name the .npy file for a manifest's images at one size.

    It holds uint8 [samples, size, size], or [samples, size, size, 3] when any image has colour.
    """
    key = digest([manifest.images, size, PREPARATION])[:16]
    return cache / "images" / f"{key}-{size}px" / _FILE


def decode_images(manifest: Manifest, size: int, target: Path) -> Iterator[int]:
    """Fill `target` (see `image_file`), yielding how many are done; nothing if it is complete."""
    if complete(target.parent) is not None:
        return
    side = (size, size) if manifest.channels == 1 else (size, size, 3)
    with whole_file(target) as temporary:
        shape = (len(manifest.table), *side)
        pixels = new_array(temporary, np.uint8, shape)
        references = manifest.table["image"].tolist()
        images = load_images(references, size, manifest.channels, manifest.intensity)
        for row, image in enumerate(images):
            pixels[row] = image
            yield row + 1
        pixels.flush()
    mark_complete(target.parent, [_FILE], size=size, samples=len(manifest.table))
