"""Features of a frozen backbone: the same as its images, computed once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raymed.data.arrays import open_array
from raymed.data.holding import USED
from raymed.data.predictions import logits_of
from raymed.training import Progress, compute_features, feature_file
from raymed.training.inputs import Inputs

Make = Callable[..., Any]
HEAD = {"train": "head", "epochs": 3, "lr": 1e-2}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "features" / "features.npy"


def compute(recipe: Any, toy: Any, target: Path, seed: int = 3) -> list[Progress]:
    return list(compute_features(recipe, toy.images, target, "cpu", seed))


def inputs(path: Path, features: bool = False) -> Inputs:
    return Inputs(open_array(path), torch.device("cpu"), features)


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "test_convnext"])
def test_cached_features_give_the_logits_of_their_images(
    model: str, toy: Any, recipe: Make, model_of: Make, run: Make, target: Path
) -> None:
    plan = recipe(model=model, phases=(HEAD,))
    compute(plan, toy, target)
    classifier = model_of(plan)
    backbone = {k: v for k, v in run(plan).weights.items() if k.startswith("backbone.")}
    classifier.load_state_dict(backbone, strict=False)
    everything, few = np.arange(36), np.array([5, 30, 17])
    cached, images = inputs(target, True), inputs(toy.images)
    same_batch = [source.predict_all(classifier, everything, 3) for source in (cached, images)]
    assert np.array_equal(*same_batch)
    other_batch = [source.predict_all(classifier, few, 3) for source in (cached, images)]
    np.testing.assert_allclose(*other_batch, rtol=1e-4, atol=1e-6)


def test_a_probe_on_features_learns_what_it_would_on_images(
    toy: Any, recipe: Make, run: Make
) -> None:
    plan = recipe(phases=(HEAD,), dropout=0.2)
    compute(plan, toy, toy.features)
    on_features, on_images = run(plan, features=True), run(plan)
    logits = [logits_of(done.predictions) for done in (on_features, on_images)]
    assert np.abs(logits[1]).max() > 0.01
    np.testing.assert_allclose(*logits, rtol=1e-3, atol=1e-5)
    assert all(
        torch.equal(value, on_images.weights[name])
        for name, value in on_features.weights.items()
        if name.startswith("backbone.")
    )


def test_features_are_computed_once(toy: Any, recipe: Make, target: Path) -> None:
    (report,) = compute(recipe(), toy, target)
    assert (report.step, report.steps) == (36, 36)
    written = target.stat()
    assert compute(recipe(), toy, target) == []
    assert target.stat() == written
    assert np.load(target).shape == (36, 96)  # the width of test_resnet
    assert np.load(target).dtype == np.float32


def test_a_damaged_cache_is_computed_again(toy: Any, recipe: Make, target: Path) -> None:
    compute(recipe(), toy, target)
    whole = target.read_bytes()
    for damaged in (whole[:-4], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        target.write_bytes(damaged)
        assert len(compute(recipe(), toy, target)) == 1
        assert target.read_bytes() == whole


def test_a_cache_that_was_not_finished_is_not_there(toy: Any, recipe: Make, target: Path) -> None:
    work = compute_features(recipe(), toy.images, target, "cpu", 3)
    next(work)
    work.close()
    assert [file.name for file in target.parent.iterdir()] == [USED]


def test_the_cache_is_shared_by_all_that_trains_a_head_on_the_same_features(
    recipe: Make, tmp_path: Path
) -> None:
    def name(images: str = "a", seed: int = 3, **changes: Any) -> Path:
        return feature_file(tmp_path, recipe(**{"phases": (HEAD,), **changes}), images, seed)

    same = [
        name(dropout=0.5),
        name(batch_size=4),
        name(phases=({**HEAD, "lr": 1.0},)),
        name(optimizer={"name": "sgd"}),
        name(class_weights="balanced"),
    ]
    assert {name(), *same} == {name()}
    others = [
        name(images="b"),
        name(size=48),
        name(model="test_vit"),
        name(seed=4),  # random first weights come from the seed
        name(precision="bf16"),
        name(pretrained="hub"),
    ]
    assert len({name(), *others}) == len(others) + 1


def test_the_cache_of_pretrained_weights_is_the_same_for_every_seed(
    recipe: Make, model_of: Make, tmp_path: Path
) -> None:
    def name(file: str, seed: int) -> Path:
        return feature_file(tmp_path, recipe(pretrained={"file": tmp_path / file}), "a", seed)

    state = model_of(recipe()).backbone.state_dict()
    torch.save(state, tmp_path / "one.pth")
    torch.save({key: value * 2 for key, value in state.items()}, tmp_path / "two.pth")
    assert name("one.pth", 3) == name("one.pth", 4)
    assert name("one.pth", 3) != name("two.pth", 3)


def test_a_batchs_mates_do_not_change_a_samples_features(
    recipe: Make, model_of: Make, toy: Any
) -> None:
    """BatchNorm in train mode would mix them."""
    model, images = model_of(recipe()), inputs(toy.images)
    model.train()
    together = images.features_of(model, np.arange(10))
    mates = np.arange(10, 20)
    mates[0] = 0
    np.testing.assert_array_equal(images.features_of(model, mates)[0], together[0])
