"""What a recipe means where it says nothing."""

import pytest

from raymed.config import Augmentation, Phase, Pretrained, Recipe
from raymed.errors import InputError

SCRATCH = ["none", {"source": "none"}, Pretrained(source="none")]
PRETRAINED = ["hub", {"source": "hub"}, {"file": "w.pth"}, Pretrained(source="hub")]
HEAD = {"train": "head", "epochs": 1, "lr": 1e-2}
ALL = {"train": "all", "epochs": 1, "lr": 1e-3}


@pytest.mark.parametrize("pretrained", SCRATCH)
def test_from_scratch_trains_all_layers_in_one_phase_with_live_batchnorm(pretrained) -> None:
    recipe = Recipe(model="m", pretrained=pretrained)
    assert [phase.train for phase in recipe.phases] == ["all"]
    assert recipe.freeze_batchnorm is False


@pytest.mark.parametrize("pretrained", PRETRAINED)
def test_a_pretrained_backbone_trains_its_head_first_with_frozen_batchnorm(pretrained) -> None:
    recipe = Recipe(model="m", pretrained=pretrained)
    assert [phase.train for phase in recipe.phases] == ["head", "all", "all"]
    assert [phase.epochs for phase in recipe.phases] == [5, 10, 15]
    assert [phase.lr for phase in recipe.phases] == [1e-3, 1e-4, 1e-5]
    assert [phase.ratio for phase in recipe.phases] == [1, 0.01, 1]
    assert recipe.freeze_batchnorm is True


def test_without_a_word_a_backbone_is_pretrained() -> None:
    assert Recipe(model="m") == Recipe(model="m", pretrained="hub")


def test_what_is_said_wins_over_what_depends_on_pretrained() -> None:
    recipe = Recipe(model="m", pretrained="none", phases=[HEAD, ALL], freeze_batchnorm=True)
    assert len(recipe.phases) == 2
    assert recipe.freeze_batchnorm is True


def test_defaults_decide_what_depends_on_pretrained_too(read) -> None:
    recipe = read("defaults.pretrained=none").recipes["one"]
    assert [phase.train for phase in recipe.phases] == ["all"]


@pytest.mark.parametrize("head", [HEAD, Phase(**HEAD)])
def test_a_probe_sees_unchanged_images(head) -> None:
    recipe = Recipe(model="m", phases=[head, head])
    assert recipe.is_probe
    assert recipe.augmentation is None


def test_a_probe_refuses_augmentation() -> None:
    with pytest.raises(ValueError, match="set augmentation: none"):
        Recipe(model="m", phases=[HEAD], augmentation=Augmentation())


def test_a_default_augmentation_on_a_probe_is_refused_by_name(read) -> None:
    with pytest.raises(InputError, match=r"recipes\.one: .*set augmentation: none"):
        read("defaults.augmentation={}", "recipes.one.phases=[{train: head, epochs: 1, lr: 1}]")


def test_one_phase_of_all_layers_makes_it_no_probe() -> None:
    recipe = Recipe(model="m", phases=[HEAD, ALL])
    assert not recipe.is_probe
    assert recipe.augmentation == Augmentation()


def test_augmentation_never_flips_upside_down_unless_asked() -> None:
    assert Augmentation().vertical_flip is False
    assert Augmentation().horizontal_flip is True


@pytest.mark.parametrize("word", ["none", None])
def test_the_word_none_turns_augmentation_and_weights_off(word) -> None:
    recipe = Recipe(model="m", augmentation=word, class_weights=word)
    assert recipe.augmentation is None
    assert recipe.class_weights is None


@pytest.mark.parametrize(
    "pretrained", [{"source": "file"}, {"source": "hub", "file": "w.pth"}, {"file": None}]
)
def test_a_weights_file_goes_with_the_word_file_only(pretrained) -> None:
    with pytest.raises(ValueError, match="give hub, none or"):
        Recipe(model="m", pretrained=pretrained)


@pytest.mark.parametrize("pretrained", ["yes", True, 3, None])
def test_another_word_for_pretrained_is_refused(pretrained) -> None:
    with pytest.raises(ValueError, match="pretrained"):
        Recipe(model="m", pretrained=pretrained)
