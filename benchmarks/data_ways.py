"""The ways that benchmarks/data.py compares: each loads all images once and gives its speed."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.transforms import v2

from raymed.config import Augmentation
from raymed.data.arrays import new_array, open_array
from raymed.data.batches import split_batches
from raymed.data.images import load_images
from raymed.training.inputs import Inputs

BATCH = 64
ASKED = Augmentation()
"""rotate 10, shift .05, scale .1, horizontal flips, brightness .1, contrast .1."""


@dataclass(frozen=True)
class Epoch:
    """What is loaded: grey images, the side they are brought to, and raymed's decoded ones."""

    files: Sequence[str]
    size: int
    augmented: bool
    decoded: Path
    seed: int

    @property
    def order(self) -> list[int]:
        """Shuffle the images."""
        drawn = np.random.default_rng(self.seed).permutation(len(self.files))
        return [int(place) for place in drawn]


def decode(files: Sequence[str], size: int, folder: Path) -> None:
    """Decode all images into an array, as the first build does."""
    pixels = new_array(folder / f"{size}.npy", np.uint8, (len(files), size, size))
    for row, image in enumerate(load_images(list(files), size, 1)):
        pixels[row] = image
    pixels.flush()


def raymed_batches(epoch: Epoch) -> float:
    """Take batches as training does."""
    inputs = Inputs(open_array(epoch.decoded / f"{epoch.size}.npy"), torch.device("cpu"))
    asked, generator = ASKED if epoch.augmented else None, torch.Generator().manual_seed(epoch.seed)

    def batches() -> Iterator[torch.Tensor]:
        for rows in split_batches(np.array(epoch.order), BATCH):
            yield inputs.training_batch(rows, asked, generator)

    return _speed(batches(), epoch)


def loader_batches(workers: int, epoch: Epoch) -> float:
    """Take batches from torch's DataLoader."""
    images = _Images(epoch)
    loader = torch.utils.data.DataLoader(
        images,
        BATCH,
        sampler=epoch.order,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,  # as it is where nothing spawns
    )
    return _speed(iter(loader), epoch)


class _Images(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, epoch: Epoch) -> None:
        self._files, self._load = epoch.files, transform(epoch)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self._load(self._files[place])


def transform(epoch: Epoch) -> Callable[[str], torch.Tensor]:
    """Read a file as raymed does, then change it by torchvision's v2, on PIL images."""
    bilinear = v2.InterpolationMode.BILINEAR
    turn, shift, scale = ASKED.rotate, ASKED.shift, ASKED.scale
    changes = [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(turn, (shift, shift), (1 - scale, 1 + scale), interpolation=bilinear),
        v2.ColorJitter(ASKED.brightness, ASKED.contrast),
    ]
    last = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]
    changed = v2.Compose([*(changes if epoch.augmented else []), *last])
    side = (epoch.size, epoch.size)

    def load(file: str) -> torch.Tensor:
        image = Image.open(file).convert("L")
        tensor: torch.Tensor = changed(ImageOps.pad(image, side, method=Image.Resampling.BICUBIC))
        return tensor

    return load


def ray_batches(epoch: Epoch) -> float:
    """Take batches from Ray Data on an embedded Ray: map_batches over the files' names."""
    ray = _started(epoch.decoded / "ray")

    def load(batch: dict[str, Any]) -> dict[str, Any]:
        torch.set_num_threads(1)
        one = transform(epoch)
        return {"image": np.stack([one(str(file)).numpy() for file in batch["file"]])}

    names = [{"file": epoch.files[place]} for place in epoch.order]
    loaded = ray.data.from_items(names).map_batches(load, batch_size=BATCH)
    ray.data.from_items(names[:BATCH]).map_batches(load, batch_size=BATCH).materialize()
    batches = loaded.iter_torch_batches(batch_size=BATCH)
    return _speed((batch["image"] for batch in batches), epoch)


def _started(scratch: Path) -> Any:
    """Start Ray in this process, once; what it starts ends with it."""
    import ray

    if not ray.is_initialized():
        os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy machine
        ray.init(
            address="local",  # never another's
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(scratch),
        )
        # Its workers lack this folder.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def _speed(batches: Iterator[torch.Tensor], epoch: Epoch) -> float:
    """Take all batches; give images a second, from the first request to the last batch."""
    begun, seen = time.perf_counter(), 0
    for batch in batches:
        assert batch.shape[1:] == (1, epoch.size, epoch.size)
        assert batch.dtype == torch.float32
        seen += len(batch)
    assert seen == len(epoch.files)
    return seen / (time.perf_counter() - begun)


WAYS: Mapping[str, Callable[[Epoch], float]] = {
    "raymed, 1 thread": raymed_batches,
    "DataLoader, 0 workers": partial(loader_batches, 0),
    "DataLoader, 1 worker": partial(loader_batches, 1),
    "DataLoader, 2 workers": partial(loader_batches, 2),
    "Ray Data, 2 CPUs": ray_batches,
}
