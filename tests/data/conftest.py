"""Toy folders of tiny images, toy tables and toy manifests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from raymed.config import DataConfig
from raymed.data.intake.manifest import Manifest


class ToyFolder:
    """A folder to fill with images and tables."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def image(self, name: str, mode: str = "L", size: tuple[int, int] = (6, 6)) -> Path:
        """Write an image whose pixels follow from its name: other name, other content."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = list(name.encode())
        pixels = np.random.default_rng(seed).integers(1, 255, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        return path

    def images(self, *names: str) -> None:
        """Write grey images."""
        for name in names:
            self.image(name)

    def text(self, name: str, content: str) -> Path:
        """Write a text file as it is."""
        path = self.root / name
        path.write_text(content, encoding="utf-8")
        return path

    def data(self, source: str = "", **settings: Any) -> DataConfig:
        """Configure a source in the folder; patients are unknown unless said."""
        return DataConfig(source=self.root / source, **{"patients": "none", **settings})


@pytest.fixture
def toy(tmp_path: Path) -> ToyFolder:
    """An empty folder."""
    return ToyFolder(tmp_path)


@pytest.fixture
def scans(toy: ToyFolder) -> ToyFolder:
    """Two classes of two patients each, two images a patient: <class>/<patient>_<slice>.png."""
    for label, patients in {"ill": ("p1", "p2"), "well": ("p3", "p4")}.items():
        for patient in patients:
            toy.images(f"{label}/{patient}_0.png", f"{label}/{patient}_1.png")
    return toy


ManifestOf = Callable[..., Manifest]


@pytest.fixture(scope="session")
def manifest_of() -> ManifestOf:
    """Build a manifest without images: a label and a patient for each sample."""

    def build(
        labels: Sequence[int], patients: Sequence[str], declared: bool = True, **columns: Any
    ) -> Manifest:
        count = len(labels)
        table = pd.DataFrame(
            {
                "sample_id": [f"s{row:04}" for row in range(count)],
                "image": [f"s{row:04}.png" for row in range(count)],
                "label": np.array(labels, dtype="int16"),
                "patient": list(patients),
                "site": "",
                "split": "train",
                "checksum": [f"{row:064}" for row in range(count)],
            }
        ).assign(**columns)
        classes = tuple(f"c{label}" for label in range(max(labels) + 1))
        return Manifest(table, classes, declared, 1)

    return build


@pytest.fixture(scope="session")
def toy_data() -> Callable[..., DataConfig]:
    """Configure data whose source does not matter."""
    return lambda **settings: DataConfig(source="scans", **{"patients": "none", **settings})
