"""All options compose: random legal recipes train, under every variant of SAM."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from raymed.config import Recipe
from raymed.data.phantom import draw_phantoms
from raymed.data.samples import SampleColumns
from raymed.models import build_classifier
from raymed.training.inputs import Inputs
from raymed.training.loop import Trainer
from raymed.training.steps import take_fitting_step

SIDE, CLASSES = 32, 4
SAMS: list[Any] = [
    "none",
    {"rho": 0.05},
    {"rho": 0.05, "part": 0.5},
    {"variant": "asam"},
    {"variant": "looksam", "every": 2},
    {"variant": "msam"},
]
HEADS: list[Any] = [
    "linear",
    "cosine",
    {"kind": "cosine", "margin": 0.1, "learn_scale": True},
    {"kind": "prototypical", "shots": 1, "embedding_dim": 8},
    "corn",
]
PHASES = (
    {"train": "head", "epochs": 1, "lr": 1e-3},
    {"train": "all", "epochs": 1, "lr": 1e-3, "ratio": 0.1},
)
OPTIONS = {
    "model": st.sampled_from(["test_resnet", "test_vit", "hybrid/test_resnet"]),
    "head": st.sampled_from(HEADS),
    "phases": st.sampled_from([PHASES, PHASES[1:], PHASES[:1]]),
    "evidential": st.sampled_from(["none", {}]),
    "triplet": st.sampled_from(["none", {}, {"mining": "semi-hard"}]),
    "center": st.sampled_from(["none", {}]),
    "mixup": st.sampled_from(["none", {}, {"kind": "input"}, {"kind": "cutmix"}]),
    "ordinal_smoothing": st.sampled_from(["none", {}, {"distance": "absolute"}]),
    "squeeze_excite": st.sampled_from(["none", {}]),
    "label_smoothing": st.sampled_from([0.0, 0.1]),
    "class_weights": st.sampled_from(["none", "balanced"]),
    "dropout": st.sampled_from([0.0, 0.2]),
    "optimizer": st.sampled_from([{}, {"name": "sgd"}]),
}


def legal(changes: dict[str, Any]) -> Recipe | None:
    hybrid = {"hybrid": {"embedding_dim": 16, "heads": 2, "layers": 1}}
    plain: dict[str, Any] = {"pretrained": "none", "size": SIDE, "batch_size": 16}
    if str(changes["model"]).startswith("hybrid/"):
        plain |= hybrid
    elif changes["phases"] == PHASES[:1]:
        plain["augmentation"] = "none"
    if changes["model"] == "test_vit":
        changes = {**changes, "squeeze_excite": "none"}  # a backbone without stages of maps
    try:
        return Recipe.model_validate({**plain, **changes})
    except ValidationError:
        return None


RECIPES = st.fixed_dictionaries(OPTIONS).map(legal).filter(lambda recipe: recipe is not None)


@pytest.fixture(scope="module")
def phantom() -> tuple[np.ndarray[Any, np.dtype[np.uint8]], SampleColumns]:
    """48 images of 24 people of the phantom, of four ordered stages, in two folds."""
    drawn = draw_phantoms(patients=24, slices=2, size=SIDE)
    patients = np.array(drawn.patients, dtype=object)
    fold = (np.unique(drawn.patients, return_inverse=True)[1] // 4 % 2).astype(np.int16)
    ids, sites = (np.array(each, dtype=object) for each in (drawn.sample_ids, drawn.sites))
    labels = drawn.labels.astype(np.int64)
    return drawn.images, SampleColumns(ids, patients, sites, labels, fold, CLASSES)


def train_two_steps(recipe: Recipe, inputs: Inputs, samples: SampleColumns) -> list[float]:
    """Two steps of each phase; gives their losses."""
    torch.manual_seed(0)
    model = build_classifier(recipe, samples.classes)
    if recipe.is_probe:
        features = inputs.features_of(model, np.arange(len(inputs.array)))
        inputs = Inputs(features, inputs.device, features=True)
    trainer, losses = Trainer(recipe, inputs, samples, 0, seed=0), []
    for number, phase in enumerate(recipe.phases):
        optimizer, draws = trainer.enter(model, phase), trainer.draws(number)
        for rows in (trainer.epoch_batches(number) * 2)[:2]:
            loss = trainer.batch_loss(model, rows, draws, number)
            outcome = take_fitting_step(optimizer, loss, recipe, 1.0, trainer.micro)
            assert outcome.stepped
            losses.append(outcome.loss)
    assert torch.isfinite(trainer.inputs.logits(model.eval(), inputs.batch(np.arange(4)))).all()
    return losses


def under(sam: Any, recipe: Recipe) -> Recipe | None:
    """The recipe with this SAM around it; None where the two are refused, with a reason."""
    try:
        return Recipe.model_validate({**recipe.model_dump(mode="json"), "sam": sam})
    except ValidationError as error:
        reasons = ("SAM climbs on whole episodes", "msam climbs along the momentum")
        if not any(reason in str(error) for reason in reasons):
            raise
        return None


def check(phantom: tuple[Any, SampleColumns], sam: Any, recipe: Recipe) -> None:
    pixels, samples = phantom
    both = under(sam, recipe)
    if both is not None:
        losses = train_two_steps(both, Inputs(pixels, torch.device("cpu")), samples)
        assert all(math.isfinite(loss) for loss in losses)


@pytest.mark.parametrize("sam", SAMS, ids=str)
@settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=True)
@given(recipe=RECIPES)
def test_legal_recipes_train(phantom: tuple[Any, SampleColumns], sam: Any, recipe: Recipe) -> None:
    check(phantom, sam, recipe)


@pytest.mark.slow
@pytest.mark.parametrize("sam", SAMS, ids=str)
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(recipe=RECIPES)
def test_any_legal_recipe_trains(
    phantom: tuple[Any, SampleColumns], sam: Any, recipe: Recipe
) -> None:
    check(phantom, sam, recipe)
