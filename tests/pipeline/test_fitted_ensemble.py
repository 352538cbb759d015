"""A run's stack as one module says what the predictor says."""

from pathlib import Path

import numpy as np
import torch

import raymed
from raymed.data.images import load_images
from raymed.pipeline.build import Built


def test_one_forward_pass_gives_what_the_predictor_gives(built: Built, phantoms: Path) -> None:
    files = [str(path) for path in sorted((phantoms / "phantom").rglob("*.png"))[:6]]
    table = raymed.load_stack(built.run.path).predict(files)
    expected = table[[name for name in table if name.startswith("probability_")]].to_numpy()
    pixels = np.stack(list(load_images(files, 32, 1)))
    batch = torch.from_numpy(pixels).float()[:, None] / 255

    ensemble = raymed.EnsembleMetaClassifier.from_run(built.run.path)

    assert isinstance(ensemble.train(), torch.nn.Module)
    assert not any(module.training for module in ensemble.modules())
    np.testing.assert_allclose(ensemble(batch).softmax(dim=1).numpy(), expected, atol=1e-5)
