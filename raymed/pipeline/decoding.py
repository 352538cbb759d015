"""Opening and decoding images, telling how far it is."""

import math
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from raymed.config import Cluster, DataConfig
from raymed.data import Manifest, decode_images, image_file, open_array
from raymed.data.audit.pictures.judging import appearances
from raymed.data.decoded.entry import RUN, Entry, decoded_shape
from raymed.data.decoded.streaming import Images, Source, Streamed, StreamedImages
from raymed.data.holding import hold, release, remove
from raymed.data.images import Inspection, Pixels, inspect_images
from raymed.data.intake.manifest import Listing
from raymed.data.intake.objects import fetched_objects, local_data
from raymed.data.intake.steps import Step
from raymed.errors import DiskFullError, InputError
from raymed.files import lacks_space, told_size
from raymed.pipeline.events import Event, Note, Stage
from raymed.training import Progress

_LEFT_FREE = 0.05
"""Share of the cache's disk that decoded images never take: runs and others write there too."""
_TIMED = 48
"""Images that are decoded to tell what streaming costs."""


def open_images(listing: Listing) -> Generator[Event, None, Manifest]:
    """Open every listed image once; returns the manifest, or raises if any cannot be used.

    With `data.on_error: skip` those are left out, and named.
    """
    manifest, _ = yield from _opened(listing, look=False)
    return manifest


def look_at_images(listing: Listing) -> Generator[Event, None, tuple[Manifest, pd.DataFrame]]:
    """Open images as `open_images` does, and measure them: a row for each sample."""
    manifest, inspections = yield from _opened(listing, look=True)
    seen = [found.appearance for found in inspections if found.appearance is not None]
    return manifest, appearances(seen)


def _opened(
    listing: Listing, *, look: bool
) -> Generator[Event, None, tuple[Manifest, list[Inspection]]]:
    inspections: list[Inspection] = []
    for found in inspect_images(listing.images, listing.intensity, look=look):
        inspections.append(found)
        if len(inspections) % 100 == 0 or len(inspections) == len(listing.images):
            yield Stage("opening every image", len(inspections), len(listing.images))
    manifest, refusal = listing.inspected(inspections), listing.refusal(inspections)
    if refusal is not None:
        yield Note(f"{refusal.place} are left out, for they {refusal.fault}", warning=True)
    return manifest, inspections


@dataclass(frozen=True)
class ImageCache:
    """Where images are kept decoded, and whether they may be streamed instead."""

    folder: Path
    streaming: str = "auto"

    @classmethod
    def of(cls, cluster: Cluster) -> "ImageCache":
        """Take what a configuration says."""
        return cls(cluster.cache_folder, cluster.streaming)

    def entry(self, manifest: Manifest, size: int) -> Entry:
        """Name the entry of a manifest at one size."""
        return Entry(image_file(self.folder, manifest, size).parent)

    def holds(self, manifest: Manifest, size: int) -> bool:
        """Tell whether images are there decoded, and to be used; then they are not removed."""
        if self.streaming == "always":
            return False
        entry = self.entry(manifest, size)
        if entry.facts() is None:
            return False
        hold(entry.folder)
        return entry.state() == "whole"

    def source(self, manifest: Manifest, size: int, file: Path, data: DataConfig) -> "Sent":
        """Tell a process of any node where images come from; the manifest is written in `file`."""
        kept = image_file(self.folder, manifest, size) if self.holds(manifest, size) else None
        return Sent(kept, Streamed(file, size), self, data, fetched_objects(data, self.folder))

    def open(self, manifest: Manifest, size: int) -> Images:
        """Open what `decode` has decoded, or a stream."""
        if self.holds(manifest, size):
            return open_array(image_file(self.folder, manifest, size))
        return StreamedImages.of(manifest, size)


@dataclass(frozen=True)
class Sent:
    """Images as they travel to a process of any node.

    `kept` is where they lie decoded in the driver's cache, None where they are streamed; `objects`
    names what the driver fetched of a source in an object store.
    """

    kept: Path | None
    listed: Streamed
    cache: ImageCache
    data: DataConfig
    objects: str | None

    def here(self) -> Generator[Progress, None, Source]:
        """Give what is to be opened on this node: its own cache's, once it is whole.

        What lacks is fetched and decoded here, by one process of the node; streamed where there is
        no room. Raises `InputError` where an object store holds something else by now.
        """
        if self.kept is not None:
            entry = Entry(self.kept.parent)
            hold(entry.folder)
            if entry.state() == "whole":
                return self.kept
        if self.objects is not None:
            yield from self._fetched()
        if self.kept is None:
            return self.listed
        manifest = Manifest.read(self.listed.manifest)
        for event in decode(self.cache, manifest, self.listed.size):
            if isinstance(event, Stage) and event.total:
                yield Progress(event.done, event.total)
        return self.kept if self.cache.holds(manifest, self.listed.size) else self.listed

    def _fetched(self) -> Iterator[Progress]:
        for step in local_data(self.data, self.cache.folder):
            if isinstance(step, Step) and step.total:
                yield Progress(step.done, step.total)
        if fetched_objects(self.data, self.cache.folder) != self.objects:
            raise InputError(
                str(self.data.source),
                "holds other objects than when this build read it",
                "run the same command when it is at rest",
            )


def decode(
    cache: ImageCache, manifest: Manifest, size: int, *, in_memory: bool = False
) -> Iterator[Event]:
    """Decode a manifest's images at one size into the cache, if they are not there.

    Where the disk has too little room for them it is said that they will be streamed, and what that
    costs; with `in_memory` that they will be decoded there. Raises `DiskFullError` where neither
    may be, `InputError` for a cache that cannot be written.
    """
    if cache.streaming != "always":
        yield from _read_again(cache.entry(manifest, size), size)
    if cache.holds(manifest, size):
        return
    if cache.streaming == "always":
        why = "as cluster.streaming says"
        yield _will_stream(manifest, size, why, in_memory=in_memory, warning=False)
        return
    lack = _lack_of_room(cache, manifest, size)
    if not lack:
        try:
            yield from _decoded(cache, manifest, size)
        except (OSError, DiskFullError) as error:
            lack = _lack_that_showed(cache, manifest, size, error)
        else:
            return
    if cache.streaming == "never":
        raise DiskFullError(
            f"{cache.folder}: {lack}, and cluster.streaming is never; free some space "
            "(raymed cache clear), or put cluster.cache elsewhere"
        )
    why = f"for the disk of {cache.folder} has too little room: {lack}"
    yield _will_stream(manifest, size, why, in_memory=in_memory, warning=True)


def decode_thumbnails(
    cache: ImageCache, manifest: Manifest, size: int
) -> Generator[Event, None, Pixels]:
    """Give small images as one array: of the cache, or in memory where that is streamed."""
    opened = cache.open(manifest, size)
    if not isinstance(opened, StreamedImages):
        return opened
    pixels = np.empty(opened.shape, dtype=np.uint8)
    for row, image in enumerate(opened):
        pixels[row] = image
        if (row + 1) % 100 == 0 or row + 1 == len(pixels):
            yield Stage(f"decoding images at {size} px into memory", row + 1, len(pixels))
    return pixels


def _read_again(entry: Entry, size: int) -> Iterator[Event]:
    """Read decoded images wholly where their files are not as they were left."""
    facts = entry.facts()
    if facts is None or entry.is_trusted():
        return
    hold(entry.folder)
    stage, count = f"reading decoded images at {size} px again, for their files changed", 0
    for _ in entry.check():
        count = min(count + RUN, facts["samples"])
        yield Stage(stage, count, facts["samples"])


def _decoded(cache: ImageCache, manifest: Manifest, size: int) -> Iterator[Event]:
    total, told = len(manifest.table), ""
    for at in decode_images(manifest, size, image_file(cache.folder, manifest, size)):
        stage = f"decoding images at {size} px"
        if at.elsewhere:
            stage = f"waiting for another process that decodes images at {size} px"
        if at.note:
            yield Note(at.note, warning=True)
        elif stage != told or at.done % 100 == 0 or at.done == total or at.elsewhere:
            told = stage
            yield Stage(stage, at.done, total)


def _lack_of_room(cache: ImageCache, manifest: Manifest, size: int) -> str:
    """Say what is missing on the disk; empty where there is room."""
    entry = cache.entry(manifest, size)
    shape = decoded_shape(len(manifest.table), size, manifest.channels)
    needed = math.prod(shape)
    if entry.pixels.exists():  # its space is taken already
        needed -= min(needed, entry.pixels.stat().st_blocks * 512)
    existing = next(each for each in (cache.folder, *cache.folder.parents) if each.exists())
    disk = shutil.disk_usage(existing)
    if disk.free - needed >= _LEFT_FREE * disk.total or needed == 0:
        return ""
    spared = told_size(_LEFT_FREE * disk.total)
    room = f"{told_size(disk.free)} are free, of which {spared} stay so"
    return f"{room}, and they need {told_size(needed)}"


def _lack_that_showed(
    cache: ImageCache, manifest: Manifest, size: int, error: OSError | DiskFullError
) -> str:
    """Tell a full disk, of which nothing is left behind, from a cache that cannot be written."""
    folder = cache.entry(manifest, size).folder
    if isinstance(error, DiskFullError) or lacks_space(error):
        release(folder)
        remove(folder)
        return "the disk is full"
    raise InputError(
        str(cache.folder),
        f"cannot be written ({error.strerror or error})",
        "name another folder with cluster.cache or $RAYMED_CACHE, or set cluster.streaming: always",
    ) from error


def _will_stream(
    manifest: Manifest, size: int, why: str, *, in_memory: bool, warning: bool
) -> Note:
    if in_memory:
        return Note(f"images at {size} px are decoded into memory, {why}", warning)
    count = len(manifest.table)
    rows = np.unique(np.linspace(0, count - 1, min(count, _TIMED)).astype(int))
    images = StreamedImages.of(manifest, size)
    started = time.monotonic()
    images[rows]
    each = (time.monotonic() - started) / len(rows)
    return Note(
        f"images at {size} px are decoded anew for each batch, {why}; that changes no result, and "
        f"takes {1000 * each:.1f} ms an image here: {each * count:,.1f} s whenever all {count} are "
        "used once",
        warning,
    )
