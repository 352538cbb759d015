"""Presets of augmentation: words, fields over them, what a recipe means by them."""

import pytest
import yaml

from raymed.config import Augmentation, Recipe
from raymed.config.assembling import recipe_at
from raymed.config.augmentation import PRESETS, preset_of
from raymed.config.space_reading import read_space
from raymed.errors import InputError
from raymed.search.location import parameters_of

WORDS = [name for name in PRESETS if name != "none"]
FIELDS_OF_SCHEMA_2 = {
    *("rotate", "shift", "scale", "horizontal_flip", "vertical_flip"),
    *("brightness", "contrast", "noise"),
}


def recipe(augmentation: object) -> Recipe:
    return Recipe.model_validate({"model": "resnet18", "augmentation": augmentation})


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_its_preset_and_fields_lie_over_it(word: str) -> None:
    plain = recipe(word).augmentation
    assert plain is not None
    assert recipe({"preset": word}).augmentation == plain
    assert plain.preset is None  # resolved: a later release's amounts leave a run's own alone
    assert preset_of(plain) == word
    changed = recipe({"preset": word, "rotate": 4.5}).augmentation
    assert changed == plain.model_copy(update={"rotate": 4.5})


def test_the_preset_none_is_a_start_for_single_changes() -> None:
    bias = recipe({"preset": "none", "bias": 0.3}).augmentation
    assert bias is not None
    assert not bias.is_off
    assert not bias.moves
    assert recipe({"preset": "none"}).augmentation.is_off  # type: ignore[union-attr]


def test_nothing_with_a_side_is_mirrored_and_only_what_has_no_up_is_turned_over() -> None:
    mirrored = {word for word in WORDS if Augmentation(preset=word).horizontal_flip}
    assert mirrored == {"ultrasound", "histology", "dermoscopy", "fundus"}
    turned = {word for word in WORDS if Augmentation(preset=word).vertical_flip}
    assert turned == {"histology", "dermoscopy"}
    assert turned == {word for word in WORDS if Augmentation(preset=word).rotate == 180}


@pytest.mark.parametrize(
    ("augmentation", "said"),
    [
        ("fundos", "no preset 'fundos'; did you mean 'fundus'?"),
        ("xray", "no preset 'xray'; did you mean 'x-ray'?"),
        ("{preset: histolgy}", "did you mean 'histology'?"),
        ("strong", "no preset 'strong'; none, mri, x-ray, ct,"),
        ("{preset: mri, gama: 0.2}", "augmentation.gama: unknown field; did you mean 'gamma'?"),
        ("{presett: mri}", "augmentation.presett: unknown field; did you mean 'preset'?"),
        ("{strength: 9}", "augmentation.strength: Input should be less than or equal to 5"),
    ],
)
def test_typing_errors_get_a_suggestion(read, augmentation: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(f"recipes.one.augmentation={augmentation}")
    assert "recipes.one.augmentation" in str(refusal.value)
    assert said in str(refusal.value)


def test_a_recipes_fields_lie_over_the_word_of_the_defaults(read) -> None:
    experiment = read("defaults.augmentation=mri", "recipes.one.augmentation={rotate: 3}")
    assert experiment.recipes["one"].augmentation == Augmentation(preset="mri", rotate=3)


def test_a_recipes_own_preset_starts_anew(read) -> None:
    experiment = read(
        "defaults.augmentation={preset: mri, rotate: 3}",
        "recipes.one.augmentation={preset: x-ray}",
    )
    assert experiment.recipes["one"].augmentation == Augmentation(preset="x-ray")


def test_strength_multiplies_every_amount_and_stops_at_its_bound() -> None:
    strong = Augmentation(preset="mri", strength=2)
    assert (strong.amount("rotate"), strong.amount("bias")) == (20, 0.4)
    assert Augmentation(rotate=170, strength=2).amount("rotate") == 180
    assert Augmentation(scale=0.95, strength=2).amount("scale") == 0.95
    assert Augmentation(strength=0.5).flip_share == 0.25
    assert Augmentation(strength=3).flip_share == 0.5


@pytest.mark.parametrize(
    "fields",
    [{}, {"rotate": 5, "noise": 0.1}, {"vertical_flip": True}, {"contrast": 0, "brightness": 0}],
)
def test_recipes_of_before_mean_what_they_meant(fields: dict[str, object]) -> None:
    meant = recipe(fields).meaning()["augmentation"]
    assert meant == {**{name: meant[name] for name in FIELDS_OF_SCHEMA_2}, **fields}


def test_the_meaning_of_a_recipe_without_augmentation_is_all_but_options_not_taken() -> None:
    told, whole = recipe("none").meaning(), recipe("none").model_dump(mode="json")

    assert told.items() <= whole.items()
    assert whole.keys() - told.keys() == {
        *("ordinal_smoothing", "head", "evidential", "triplet", "center", "mixup"),
        *("squeeze_excite", "min_workers"),
    }


@pytest.mark.parametrize("field", sorted(Augmentation.model_fields.keys() - {"preset"}))
def test_each_field_that_changes_images_changes_the_meaning(field: str) -> None:
    other = {"outside": "mirror", "noise_kind": "rician"}.get(field)
    if other is None:
        value = getattr(Augmentation(), field)
        other = not value if isinstance(value, bool) else value + 0.01
    assert recipe({field: other}).meaning() != recipe({}).meaning()


def test_what_never_moves_is_no_longer_resampled_and_says_so() -> None:
    still = {"rotate": 0, "shift": 0, "scale": 0, "horizontal_flip": False}
    assert recipe(still).meaning()["augmentation"]["resampled"] is False


def test_a_study_chooses_among_presets_and_varies_the_strength() -> None:
    base = recipe({"preset": "mri", "rotate": 20})
    space = read_space(
        {
            "augmentation": {
                "choices": ["none", "ct", {"preset": "x-ray", "strength": {"low": 0, "high": 2}}]
            }
        },
        base,
    )
    assert next(leaf.ends for leaf in space.leaves) == ("none", "ct", "preset=x-ray, strength")
    asked = {"augmentation": "ct"}
    assert recipe_at(space, asked).augmentation == Augmentation(preset="ct")
    asked = {"augmentation": "preset=x-ray, strength", "augmentation.strength": 1.5}
    found = recipe_at(space, asked)
    assert found.augmentation == Augmentation(preset="x-ray", strength=1.5)
    assert parameters_of(space, found).parameters == asked


def test_a_range_of_the_strength_keeps_the_recipes_own_amounts() -> None:
    base = recipe({"preset": "histology", "colour": 0.3})
    space = read_space({"augmentation": {"strength": {"low": 0, "high": 3}}}, base)
    found = recipe_at(space, {"augmentation.strength": 2.0}).augmentation
    assert found == Augmentation(preset="histology", colour=0.3, strength=2)


def test_amounts_survive_writing_and_reading(read) -> None:
    experiment = read("recipes.one.augmentation={preset: fundus, strength: 0.5}")
    one = experiment.recipes["one"]
    content = yaml.safe_load(yaml.safe_dump(one.model_dump(mode="json")))
    assert Recipe.model_validate(content) == one
