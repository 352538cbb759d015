"""A few images name the classes, and prototypical members tell which of them an image is like."""

from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from typer.testing import CliRunner

import raymed
from raymed.cli import app
from raymed.data.batches import as_images
from raymed.data.images import load_images
from raymed.errors import InputError
from raymed.models import build_classifier
from raymed.pipeline.build import Built
from raymed.predict import Support
from raymed.predict.few_shot import probabilities_of
from raymed.predict.member import fold_attempt, named_recipe
from raymed.training.checkpoints import load_final
from tests.data.pixels.scans import write_dicom


@pytest.fixture
def support(files: list[str], tmp_path: Path) -> Path:
    """Two classes that no member was trained on, of two images and one."""
    for at, name in enumerate(("one", "one", "other")):
        folder = tmp_path / "support" / name
        folder.mkdir(parents=True, exist_ok=True)
        copy(files[at], folder / f"{at}.png")
    return tmp_path / "support"


def embedded_by_hand(built: Built, files: list[str]) -> list[Any]:
    """Embed images by each fold model of each prototypical member, in float64."""
    batch = as_images(np.stack(list(load_images(files, 32, 1))), torch.device("cpu"))
    found = []
    for folder in (built.run.path / "members").iterdir():
        member = built.run.member(folder.name)
        recipe = named_recipe(member)[1]
        if recipe.head.kind != "prototypical":
            continue
        for fold in range(2):
            model = build_classifier(recipe, len(built.metrics["classes"]), pretrained=False)
            load_final(fold_attempt(member, fold), model)
            with torch.inference_mode():
                features = model.eval().features(batch).numpy().astype(np.float64)
            found.append(features @ model.head.embedding.weight.detach().numpy().T)
    return found


def test_the_nearest_mean_by_hand() -> None:
    """Means (1, 0) of (0, 0) and (2, 0), and (4, 0): from (2, 0) their squares are 1 and 4."""
    support = Support(("a", "b"), ("0", "1", "2"), np.array([0, 0, 1]))
    embedded = torch.tensor([[0.0, 0], [2, 0], [4, 0], [2, 0]])

    said = probabilities_of(embedded, support)

    np.testing.assert_allclose(said, softmax([[-1, -4]], axis=1))


def test_the_table_is_the_mean_over_fold_models_of_prototypical_members(
    built: Built, files: list[str], support: Path
) -> None:
    said = []
    for embedded in embedded_by_hand(built, files):
        means = np.stack([embedded[:2].mean(axis=0), embedded[2]])
        squares = ((embedded[:, None] - means[None]) ** 2).sum(axis=2)
        said.append(softmax(-squares, axis=1))
    assert len(said) == 4  # two members, two folds

    table = raymed.load_stack(built.run.path, "cpu").predict_few_shot(files, support)

    assert list(table) == ["level", "image", "predicted", "probability_one", "probability_other"]
    found = table[["probability_one", "probability_other"]].to_numpy()
    np.testing.assert_allclose(found, np.mean(said, axis=0), atol=1e-5)
    assert table["predicted"].tolist() == [("one", "other")[row.argmax()] for row in found]


def test_an_image_that_is_a_class_by_itself_is_of_that_class(
    built: Built, files: list[str], tmp_path: Path
) -> None:
    for at, file in enumerate(files):
        (tmp_path / f"c{at}").mkdir()
        copy(file, tmp_path / f"c{at}")

    table = raymed.load_stack(built.run.path, "cpu").predict_few_shot(files, tmp_path)

    assert table["predicted"].tolist() == [f"c{at}" for at in range(len(files))]


def test_the_command_writes_a_row_an_image_and_a_row_a_patient(
    built: Built, files: list[str], support: Path, tmp_path: Path
) -> None:
    listed = pd.DataFrame({"image": files, "patient": ["P", "P", "Q", "Q", "Q", "P"]})
    listed.to_csv(tmp_path / "new.csv", index=False)
    output, run = tmp_path / "p.csv", built.run.path
    words = ["predict", run, tmp_path / "new.csv", "-o", output, "--support", support]

    said = CliRunner().invoke(app, [*map(str, words), "--device", "cpu"])

    assert said.exit_code == 0, said.output
    assert "6 images, 2 patients" in said.output
    table = pd.read_csv(output)
    images, people = table[table["level"] == "image"], table[table["level"] == "patient"]
    means = images.groupby("patient")["probability_one"].mean()
    np.testing.assert_allclose(people["probability_one"], means)


def test_an_unreadable_image_of_the_support_is_named(
    built: Built, files: list[str], support: Path
) -> None:
    (support / "other" / "broken.png").write_bytes(b"")

    with pytest.raises(InputError, match=r"broken\.png: the file is empty"):
        raymed.load_stack(built.run.path, "cpu").predict_few_shot(files, support)


def test_every_frame_of_a_file_is_of_its_folders_class(tmp_path: Path) -> None:
    write_dicom(tmp_path / "b" / "b.dcm", np.zeros((2, 4, 4), np.uint16))
    write_dicom(tmp_path / "a" / "a.dcm", np.zeros((3, 4, 4), np.uint16))
    (tmp_path / ".hidden").mkdir()

    found = Support.find(tmp_path)

    assert found.classes == ("a", "b")
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert found.images[3] == f"{tmp_path}/b/b.dcm::0"
