"""Views of an image: the same for every image, averaged as probabilities, none for one view."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from raymed.config import Recipe
from raymed.data.augmentation import change
from raymed.data.batches import as_images
from raymed.files import write_text
from raymed.models import build_classifier
from raymed.predict.member import predict_member
from raymed.predict.views import averages_views, draw_views
from raymed.runs import MemberFolder
from raymed.runs.member_folder import FOLD_FILES
from raymed.training.checkpoints import save_final

FOLDS, CLASSES, SIZE = 2, 3, 32
AUGMENTED = {"preset": "mri", "horizontal_flip": True}


def recipe_of(augmentation: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "model": "test_resnet",
            "pretrained": "none",
            "size": SIZE,
            "phases": [{"epochs": 1, "lr": 1e-3}],
            "augmentation": augmentation,
        }
    )


@pytest.fixture
def member(tmp_path: Path):
    """Make a member with untrained fold models of a recipe."""

    def make(augmentation: Any) -> tuple[MemberFolder, Recipe]:
        recipe, folder = recipe_of(augmentation), MemberFolder(tmp_path / "m", "m")
        for fold in range(FOLDS):
            torch.manual_seed(fold)
            model = build_classifier(recipe, CLASSES)
            torch.nn.init.normal_(model.head.weight)  # a new head says next to nothing
            attempt = folder.start_attempt(fold)
            for name in FOLD_FILES:
                write_text(attempt / name, "")
            save_final(attempt, model, [])
            folder.finish_fold(fold, attempt)
        content = {"name": "one", "recipe": recipe.model_dump(mode="json")}
        write_text(folder.path / "recipe.yaml", yaml.safe_dump(content))
        return folder, recipe

    return make


def pixels(count: int, *colour: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    shape = (count, SIZE, SIZE, *colour)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def said(folder: MemberFolder, images: Any, tta: int | None = None) -> np.ndarray[Any, Any]:
    logits = np.zeros((FOLDS, len(images), CLASSES), dtype=np.float32)
    options = {} if tta is None else {"tta": tta}
    for _ in predict_member(folder, images, logits, "cpu", **options):
        pass
    return logits


@pytest.mark.parametrize("tta", [0, 1])
def test_one_view_is_the_plain_image_to_the_bit(member, tta: int) -> None:
    folder, _ = member(AUGMENTED)
    assert np.array_equal(said(folder, pixels(5), tta), said(folder, pixels(5)))


@pytest.mark.parametrize("colour", [(), (3,)])
def test_views_are_means_of_each_fold_models_probabilities(member, colour) -> None:
    folder, recipe = member(AUGMENTED)
    images = pixels(4, *colour)
    batch = as_images(images, torch.device("cpu"))
    views = draw_views(recipe, 5, batch.shape[1])
    assert len(views) == 4
    found = said(folder, images, 5)
    for fold in range(FOLDS):
        model = build_classifier(recipe, CLASSES)
        attempt = folder.completed_fold(fold)
        assert attempt is not None

        model.load_state_dict(load_file(attempt / "checkpoint.safetensors"))
        model.eval()
        rows = torch.zeros(4, dtype=torch.int64)
        looks = [batch, *(change(batch, view.take(rows), recipe.augmentation) for view in views)]
        with torch.inference_mode():
            mean = torch.stack([model(look).softmax(1) for look in looks]).mean(0)
        np.testing.assert_allclose(np.exp(found[fold]), mean.numpy(), atol=1e-5)
    assert np.abs(np.exp(found) - np.exp(said(folder, images))).max() > 1e-3


def test_the_same_call_gives_the_same_bits_and_more_views_others(member) -> None:
    folder, _ = member(AUGMENTED)
    assert np.array_equal(said(folder, pixels(3), 4), said(folder, pixels(3), 4))
    assert not np.array_equal(said(folder, pixels(3), 4), said(folder, pixels(3), 5))


def test_an_image_does_not_depend_on_what_is_predicted_beside_it(member) -> None:
    folder, _ = member(AUGMENTED)
    images = pixels(70)  # more than one batch
    together, alone = said(folder, images, 3), said(folder, images[66:67], 3)
    np.testing.assert_allclose(together[:, 66:67], alone, atol=1e-5)


@pytest.mark.parametrize("augmentation", ["none", {"preset": "none"}, {"strength": 0}])
def test_a_member_without_augmentation_looks_once(member, augmentation: Any) -> None:
    folder, recipe = member(augmentation)
    assert not averages_views(recipe, 8)
    assert np.array_equal(said(folder, pixels(3), 8), said(folder, pixels(3)))


def test_the_first_views_of_many_are_those_of_few() -> None:
    recipe = recipe_of("fundus")
    few, many = draw_views(recipe, 3, 3), draw_views(recipe, 9, 3)
    assert len(many) == 8
    for one, other in zip(few, many, strict=False):
        assert torch.equal(one.matrices, other.matrices)
        assert torch.equal(one.noise, other.noise)
