"""What one process of a recipe takes of a card's memory: measured there once, and kept."""

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from raymed.config import Recipe
from raymed.errors import InputError
from raymed.files import digest, read_json, write_json
from raymed.pipeline.decoding import Sent
from raymed.pipeline.memory import PeakMemory, card_name, device_bytes
from raymed.runs import RunFolder
from raymed.training import Progress
from raymed.training.freeing import free_memory
from raymed.training.trying import try_steps

FOLDER = "footprints"
"""Where in the cache they are kept, a file each."""


@dataclass(frozen=True)
class Footprint:
    """The most that a process has held of a card while it trained, and what that card has.

    On a CPU, where nobody asks for it, of the machine's memory. `micro_batch` is what of a batch
    fitted at once, None for all of it.
    """

    unit_bytes: int
    card_bytes: int
    card: str | None = None
    micro_batch: int | None = None


@dataclass(frozen=True)
class FootprintUnit:
    """Measures the footprint of a recipe, on a node with a card, which it has for itself."""

    member: str
    recipe: Recipe
    run: RunFolder
    images: Sent
    classes: int
    device: str
    part: str = "memory"

    @property
    def workers(self) -> int:
        """One process measures."""
        return 1

    fewest = workers

    def work(self, checkpoint: Path | None = None) -> Generator[Progress, None, Footprint]:
        """Measure it."""
        self.run.bring_inputs()
        images = yield from self.images.here()
        free_memory()
        memory = PeakMemory.begin(self.device)
        micro = try_steps(self.recipe, images, self.classes, self.device)
        held, whole = memory.held_in_bytes(), device_bytes(self.device)
        name = card_name(self.device)
        return Footprint(whole if held is None else held, whole, name, micro.most)


def footprint_file(cache: Path, recipe: Recipe, cards: Sequence[str]) -> Path:
    """Name the file of a recipe's footprint on such cards, with this torch."""
    key = digest([recipe.meaning(), list(cards), torch.__version__])[:16]
    return cache / FOLDER / f"{key}.json"


def read_footprint(file: Path) -> Footprint | None:
    """Read a footprint that was kept; None where there is none, or none that can be read."""
    try:
        facts: dict[str, Any] = read_json(file)
        return Footprint(**facts)
    except (OSError, InputError, TypeError):
        return None


def write_footprint(file: Path, footprint: Footprint) -> None:
    """Keep a footprint."""
    write_json(file, asdict(footprint))
