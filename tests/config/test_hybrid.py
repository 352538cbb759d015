"""The hybrid part of a recipe: only where it belongs, and only numbers that fit."""

import pytest
import yaml

from raymed.config import Hybrid, Phase, Recipe, parse_experiment, write_experiment
from raymed.errors import InputError

HEAD = {"train": "head", "epochs": 1, "lr": 1e-2}


def test_a_hybrid_has_a_transformer_also_when_nothing_is_said() -> None:
    assert Recipe(model="hybrid/resnet18").hybrid == Hybrid()
    assert Recipe(model="hybrid/resnet18", hybrid=None).hybrid == Hybrid()
    assert Recipe(model="resnet18").hybrid is None
    assert Recipe(model="hybrid/resnet18").timm_model == "resnet18"
    assert Recipe(model="resnet18").timm_model == "resnet18"


def test_another_model_refuses_a_transformer(read) -> None:
    with pytest.raises(InputError, match=r"recipes.one: hybrid is for model: hybrid/NAME, this is"):
        read("recipes.one.hybrid.layers=2")


def test_another_model_refuses_a_rate_for_new_layers() -> None:
    with pytest.raises(ValueError, match="new_layers is for model: hybrid/NAME, this is resnet18"):
        Recipe(model="resnet18", phases=[{**HEAD, "new_layers": 5}])
    assert Recipe(model="hybrid/resnet18", phases=[{**HEAD, "new_layers": 5}])


@pytest.mark.parametrize(
    ("hybrid", "message"),
    [
        ("{embedding_dim: 100}", "hybrid: embedding_dim 100 cannot be divided among 8 heads"),
        ("{layers: -1}", "hybrid.layers: .*greater than or equal to 0"),
        ("{dropout: 1}", "hybrid.dropout: .*less than 1"),
        ("{head: 4}", "hybrid.head: unknown field; did you mean 'heads'"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_by_name(hybrid: str, message: str, read) -> None:
    with pytest.raises(InputError, match=message):
        read("recipes.one.model=hybrid/resnet10t", f"recipes.one.hybrid={hybrid}")


def test_a_hybrid_is_never_a_probe() -> None:
    """Cached features would freeze an encoder that has learned nothing."""
    recipe = Recipe(model="hybrid/resnet18", phases=[HEAD])
    assert not recipe.is_probe
    assert recipe.augmentation is not None


def test_without_a_word_the_cnn_of_a_hybrid_learns_as_it_would_alone() -> None:
    alone = Recipe(model="resnet18").phases[-1]
    hybrid = Recipe(model="hybrid/resnet18").phases[-1]
    assert hybrid.lr / hybrid.new_layers == pytest.approx(alone.lr)
    assert hybrid.ratio == alone.ratio


def test_from_scratch_all_layers_of_a_hybrid_are_new() -> None:
    (phase,) = Recipe(model="hybrid/resnet18", pretrained="none").phases
    assert phase.new_layers == 1
    assert Phase(**HEAD).new_layers == 10


def test_a_resolved_hybrid_reads_back_as_the_same(read, tmp_path) -> None:
    experiment = read("recipes.one.model=hybrid/resnet10t", "recipes.two={model: resnet10t}")
    text = write_experiment(experiment)
    assert parse_experiment(yaml.safe_load(text), tmp_path, "again.yaml") == experiment
