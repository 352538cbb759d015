"""A fold trained on images that are decoded for each batch comes out as from the cache."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from raymed.data import Manifest
from raymed.data.arrays import open_array
from raymed.data.decoded.streaming import Streamed, open_images
from raymed.training import FoldContext, compute_features, train_fold
from raymed.training.inputs import Inputs

Make = Callable[..., Any]
AUGMENTED = {"rotate": 10, "noise": 0.05}


@pytest.fixture(scope="module")
def streamed(toy: Any, tmp_path_factory: pytest.TempPathFactory) -> Streamed:
    """The toy's images as files, and a manifest that lists them."""
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for name, pixels in zip(toy.samples.sample_ids, toy.draw(), strict=True):
        paths.append(str(folder / f"{name}.png"))
        Image.fromarray(pixels).save(paths[-1])
    table = pd.DataFrame({"sample_id": toy.samples.sample_ids, "image": paths})
    columns = {"label": toy.samples.labels.astype("int16"), "patient": toy.samples.patients}
    table = table.assign(**columns, site="", split="train", checksum=f"{0:064}")
    Manifest(table, ("a", "b", "c"), True, 1).write(folder / "manifest.parquet")
    return Streamed(folder / "manifest.parquet", 32)


@pytest.mark.parametrize("augmented", [False, True])
def test_streaming_gives_the_same_batches(
    toy: Any, recipe: Make, streamed: Streamed, trainer: Make, augmented: bool
) -> None:
    plan = recipe(augmentation=AUGMENTED if augmented else None)
    kept = trainer(plan)
    live = replace(kept, inputs=Inputs(open_images(streamed), torch.device("cpu")))
    for rows in kept.epoch_batches(0):
        drawn = [
            each.inputs.training_batch(rows, plan.augmentation, torch.Generator().manual_seed(5))
            for each in (kept, live)
        ]
        assert torch.equal(*drawn)


def test_streaming_gives_the_same_weights_and_out_of_fold_bytes(
    toy: Any, recipe: Make, streamed: Streamed, tmp_path: Path
) -> None:
    plan = recipe(augmentation=AUGMENTED, dropout=0.2)
    written = {}
    for name, images in {"kept": toy.images, "streamed": streamed}.items():
        context = FoldContext("m", tmp_path / name, (), images, None, "cpu", seed=3)
        for _ in train_fold(plan, 0, toy.samples, context):
            pass
        files = ("predictions.parquet", "checkpoint.safetensors")
        written[name] = [(tmp_path / name / file).read_bytes() for file in files]
    assert written["kept"] == written["streamed"]


def test_streaming_gives_the_same_features(
    toy: Any, recipe: Make, streamed: Streamed, tmp_path: Path
) -> None:
    plan = recipe(phases=({"train": "head", "epochs": 1, "lr": 1e-2},))
    files = [tmp_path / name / "features.npy" for name in ("kept", "streamed")]
    for images, file in zip((toy.images, streamed), files, strict=True):
        for _ in compute_features(plan, images, file, "cpu", 3):
            pass
    assert np.abs(open_array(files[0])).max() > 0
    assert files[0].read_bytes() == files[1].read_bytes()
