"""Opening and decoding images, telling how far it is."""

from collections.abc import Generator, Iterator
from pathlib import Path

from raymed.data import Manifest, decode_images, image_file
from raymed.data.images import Inspection, inspect_images
from raymed.data.intake.manifest import Listing
from raymed.pipeline.events import Event, Note, Stage


def open_images(listing: Listing) -> Generator[Event, None, Manifest]:
    """Open every listed image once; returns the manifest, or raises if any cannot be used.

    With `data.on_error: skip` those are left out, and named.
    """
    inspections: list[Inspection] = []
    for found in inspect_images(listing.images, listing.intensity):
        inspections.append(found)
        if len(inspections) % 100 == 0 or len(inspections) == len(listing.images):
            yield Stage("opening every image", len(inspections), len(listing.images))
    manifest, refusal = listing.inspected(inspections), listing.refusal(inspections)
    if refusal is not None:
        yield Note(f"{refusal.place} are left out, for they {refusal.fault}", warning=True)
    return manifest


def decode(cache: Path, manifest: Manifest, size: int) -> Iterator[Event]:
    """Decode a manifest's images at one size into the cache, if they are not there."""
    total = len(manifest.table)
    for done in decode_images(manifest, size, image_file(cache, manifest, size)):
        if done % 100 == 0 or done == total:
            yield Stage(f"decoding images at {size} px", done, total)
