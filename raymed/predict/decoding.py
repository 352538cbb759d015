"""New images as the members of a run take them: opened once, decoded once a size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from raymed.config import Intensity
from raymed.data import Manifest
from raymed.data.arrays import new_array, open_array
from raymed.data.decoded.entry import decoded_shape
from raymed.data.decoded.streaming import Images, StreamedImages
from raymed.data.images import inspect_images, load_images
from raymed.data.intake.manifest import refuse_images
from raymed.errors import InputError
from raymed.files import lacks_space


def refuse_unusable(images: Sequence[str], intensity: Intensity) -> None:
    """Open every image; raise `InputError` that names those which cannot be used."""
    refusal = refuse_images([found.fault for found in inspect_images(images, intensity)])
    if refusal is not None:
        raise InputError(refusal.place, refusal.fault, "repair or remove them")


def decode_images(images: Sequence[str], size: int, manifest: Manifest, scratch: Path) -> Images:
    """Decode images as those of a manifest were, to a memory-mapped array, once a size.

    Where the disk has no room for them they are decoded for each batch.
    """
    path, channels = scratch / f"{size}.npy", manifest.channels
    if path.exists():
        return open_array(path)
    try:
        pixels = new_array(path, np.uint8, decoded_shape(len(images), size, channels))
    except OSError as error:
        path.unlink(missing_ok=True)
        if not lacks_space(error):
            raise
        return StreamedImages(images, size, channels, manifest.intensity)
    for row, image in enumerate(load_images(images, size, channels, manifest.intensity)):
        pixels[row] = image
    return pixels
