"""A toy data set and what the tests do with it: train a fold, stop it, read its weights."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from raymed.config import Recipe
from raymed.data.arrays import open_array
from raymed.data.samples import SampleColumns
from raymed.models import Classifier, build_classifier
from raymed.training import FoldContext, Progress, train_fold
from raymed.training.inputs import Inputs
from raymed.training.loop import Trainer
from raymed.training.movement import GroupMoved

PATIENTS, IMAGES, CLASSES, SIDE = 12, 3, 3, 32


def _draw_samples() -> SampleColumns:
    """Draw three folds and a test split, of three patients each; class 0 is the commonest."""
    patient = np.repeat(np.arange(PATIENTS), IMAGES)
    return SampleColumns(
        sample_ids=np.array([f"s{row:02}" for row in range(len(patient))], dtype=object),
        patients=np.array([f"p{number:02}" for number in patient], dtype=object),
        sites=np.array([f"site{number % 2}" for number in patient], dtype=object),
        labels=np.array([0, 0, 1, 2, 0, 1, 0, 0, 2, 1, 0, 1], dtype=np.int64)[patient],
        fold=(patient % 4 - 1).astype(np.int16),
        classes=CLASSES,
    )


@dataclass(frozen=True)
class Toy:
    """12 patients with 3 images of 32 px; a class is no stripes, level ones or upright ones."""

    folder: Path
    samples: SampleColumns = field(default_factory=_draw_samples)

    @property
    def images(self) -> Path:
        return self.folder / "images.npy"

    @property
    def features(self) -> Path:
        return self.folder / "features" / "features.npy"

    def draw(self) -> npt.NDArray[np.uint8]:
        rng = np.random.default_rng(7)
        pixels = rng.integers(0, 120, (PATIENTS * IMAGES, SIDE, SIDE), dtype=np.uint8)
        pixels[self.samples.labels == 1, ::4] += 90
        pixels[self.samples.labels == 2, :, ::4] += 90
        return pixels

    def changed(self, folder: Path, rows: npt.NDArray[np.int64]) -> "Toy":
        """Give the same data with other pixels and other labels in `rows`."""
        pixels, labels = self.draw(), self.samples.labels.copy()
        pixels[rows] = 255 - pixels[rows]
        labels[rows] = (labels[rows] + 1) % CLASSES
        folder.mkdir()
        np.save(folder / "images.npy", pixels)
        return Toy(folder, replace(self.samples, labels=labels))


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    toy = Toy(tmp_path_factory.mktemp("toy"))
    np.save(toy.images, toy.draw())
    return toy


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    """Make a recipe: one epoch of a tiny network from scratch, and what the test changes."""

    def make(**changes: Any) -> Recipe:
        phases = ({"train": "all", "epochs": 1, "lr": 1e-3},)
        plain = {"model": "test_resnet", "pretrained": "none", "size": SIDE, "batch_size": 8}
        return Recipe(**{**plain, "phases": phases, "augmentation": None, **changes})

    return make


@pytest.fixture(scope="session")
def model_of() -> Callable[..., Classifier]:
    """Build the toy's model of a recipe, with a head that says something."""

    def build(recipe: Recipe, *, zero: bool = False) -> Classifier:
        torch.manual_seed(1)
        model = build_classifier(recipe, CLASSES)
        if not zero:
            torch.nn.init.normal_(model.head.weight, std=0.1)
        return model

    return build


@pytest.fixture
def trainer(toy: Toy) -> Callable[..., Trainer]:
    """Make the loop's driver on the toy's images."""

    def make(recipe: Recipe, fold: int = 0, seed: int = 3) -> Trainer:
        inputs = Inputs(
            open_array(toy.images), torch.device("cpu"), bf16=recipe.precision == "bf16"
        )
        return Trainer(recipe, inputs, toy.samples, fold, seed)

    return make


@dataclass(frozen=True)
class Run:
    """A fold's attempt: what it reported, what it wrote and how far its layer groups moved."""

    attempt: Path
    reports: list[Progress]
    moved: list[GroupMoved]

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.attempt / "checkpoint.safetensors")

    @property
    def predictions(self) -> pa.Table:
        return pq.read_table(self.attempt / "predictions.parquet")

    @property
    def epochs(self) -> pa.Table:
        return pq.read_table(self.attempt / "epochs.parquet")

    def equals(self, other: "Run") -> bool:
        """Whether weights and predictions are the same to the last bit."""
        mine, theirs = self.weights, other.weights
        names = ("predictions.parquet",)
        return (
            mine.keys() == theirs.keys()
            and all(torch.equal(mine[name], theirs[name]) for name in mine)
            and all(
                (self.attempt / n).read_bytes() == (other.attempt / n).read_bytes() for n in names
            )
        )


@pytest.fixture
def run(toy: Toy, tmp_path: Path) -> Callable[..., Run]:
    """Train a fold in a new attempt; `stop` closes the generator after that optimizer step."""
    count = iter(range(1000))

    def go(
        recipe: Recipe,
        *,
        data: Toy = toy,
        features: bool = False,
        earlier: tuple[Run, ...] = (),
        stop: int | None = None,
        fold: int = 0,
        seed: int = 3,
        report: float = 0.0,
    ) -> Run:
        context = FoldContext(
            member="3f9a1c",
            attempt=tmp_path / f"attempt-{next(count)}",
            earlier_attempts=tuple(other.attempt for other in earlier),
            images=data.images,
            features=data.features if features else None,
            device="cpu",
            seed=seed,
            checkpoint_seconds=0.0,
            report_seconds=report,
        )
        work = train_fold(recipe, fold, data.samples, context)
        return Run(context.attempt, *_until(work, stop))

    return go


def _until(
    work: Generator[Progress, None, list[GroupMoved]], stop: int | None
) -> tuple[list[Progress], list[GroupMoved]]:
    reports: list[Progress] = []
    while True:
        try:
            reports.append(next(work))
        except StopIteration as end:
            return reports, end.value
        if reports[-1].step == stop:
            work.close()
            return reports, []
