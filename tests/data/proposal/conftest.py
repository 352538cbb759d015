"""Sources of every kind, small."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Write = Callable[..., Path]
CLASSES = ("mild", "none", "severe")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write grey images below the source's folder by their paths; returns that folder."""

    def images(*names: str) -> Path:
        for name in names:
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        return tmp_path / "set"

    return images


@pytest.fixture
def layout(write: Write) -> Write:
    """Write 36 images, of three classes, four patients a class and three images a patient."""

    def images(form: str) -> Path:
        return write(
            *(
                form.format(label=label, patient=4 * number + patient, image=image)
                for number, label in enumerate(CLASSES)
                for patient in range(4)
                for image in range(3)
            )
        )

    return images
