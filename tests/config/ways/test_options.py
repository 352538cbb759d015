"""A recipe with a part and the same recipe without it; what makes no sense says why."""

from collections.abc import Callable

import pytest

from raymed.config import Experiment, Mixup, Recipe, Triplet, Variants, derive_variants

Read = Callable[..., Experiment]

ORDERED = ("data.classes=[mild, severe, worst]", "data.ordinal=true")
CHOICES = {
    "evidential": ["cross-entropy", "evidential"],
    "prototypical": ["linear head", "prototypical head"],
    "triplet": ["without triplet", "triplet"],
    "center": ["without center", "center"],
    "mixup": ["without mixup", "manifold mixup", "input mixup", "cutmix"],
    "cosine": ["linear head", "cosine head"],
    "squeeze_excite": ["without squeeze-excite", "squeeze-excite"],
    "ordinal": ["without order", "ordinal smoothing", "corn head"],
}
FIELDS = {"prototypical": {"head"}, "cosine": {"head"}, "ordinal": {"head", "ordinal_smoothing"}}


def only(technique: str) -> str:
    return f"compare.techniques=[{technique}]"


def names(found: Variants) -> list[tuple[str, str]]:
    """Each choice with its recipe."""
    return [(choice.name, choice.recipe) for choice in found.choices]


def reasons(found: Variants) -> dict[str, str]:
    return {each.name: each.reason for each in found.left_out}


@pytest.mark.parametrize("technique", CHOICES)
def test_the_recipe_without_it_is_held_against_the_recipe_with_it_and_nothing_else_differs(
    read: Read, technique: str
) -> None:
    experiment = read(*ORDERED, only(technique))
    plain = experiment.recipes["one"]

    found = derive_variants(experiment)

    assert [choice.name for choice in found.choices] == CHOICES[technique]
    first, *others = found.choices
    assert (first.recipe, first.against) == ("one", None)
    assert {choice.against for choice in others} == {first.name}
    for choice in others:
        recipe = found.recipes[choice.recipe]
        differ = {f for f in Recipe.model_fields if getattr(recipe, f) != getattr(plain, f)}
        assert differ
        assert differ <= FIELDS.get(technique, {technique})
        assert Recipe.model_validate(recipe.model_dump()) == recipe


@pytest.mark.parametrize(
    ("technique", "part", "expected"),
    [
        ("evidential", "evidential={}", [("cross-entropy", "one without evidential")]),
        ("prototypical", "head=prototypical", [("linear head", "one with linear head")]),
        ("cosine", "head={kind: cosine, scale: 16}", [("linear head", "one with linear head")]),
        ("triplet", "triplet={margin: 0.3}", [("without triplet", "one without triplet")]),
        ("ordinal", "head=corn", [("without order", "one without order")]),
    ],
)
def test_a_recipe_that_has_it_is_itself_the_choice_with_it(
    read: Read, technique: str, part: str, expected: list[tuple[str, str]]
) -> None:
    found = derive_variants(read(*ORDERED, f"recipes.one.{part}", only(technique)))

    assert names(found)[:1] == expected
    assert names(found)[-1] == (CHOICES[technique][-1], "one")


def test_the_settings_are_those_of_the_experiments_own_recipe_that_has_it(read: Read) -> None:
    own = "recipes.apart={model: resnet10t, triplet: {margin: 0.3}}"
    other = "recipes.else={model: resnet18, triplet: {margin: 0.4}}"

    found = derive_variants(read(other, own, only("triplet")))

    assert names(found) == [("without triplet", "one"), ("triplet", "apart")]
    assert found.recipes["apart"].triplet == Triplet(margin=0.3)


def test_each_kind_of_mixup_takes_the_settings_of_its_own_kind(read: Read) -> None:
    found = derive_variants(read("recipes.one.mixup={kind: input, alpha: 0.4}", only("mixup")))

    mixed = [found.recipes[choice.recipe].mixup for choice in found.choices]
    assert mixed == [None, Mixup(), Mixup(kind="input", alpha=0.4), Mixup(kind="cutmix")]
    assert names(found)[2] == ("input mixup", "one")


@pytest.mark.parametrize(
    ("technique", "part", "name", "reason"),
    [
        ("evidential", "head=corn", "evidential", "evidence a class, which head: corn has not"),
        ("evidential", "label_smoothing=0.1", "evidential", "learns doubt from one true class"),
        ("ordinal", "label_smoothing=0.1", "ordinal smoothing", "two ways to soften a target"),
        ("mixup", "triplet={}", "cutmix", "mixed samples have none"),
        ("prototypical", "batch_size=8", "prototypical head", "raise batch_size"),
        ("prototypical", "sam={part: 0.25}", "prototypical head", "SAM climbs on whole episodes"),
        ("sam", "head=prototypical", "SAM", "SAM climbs on whole episodes"),
    ],
)
def test_parts_that_do_not_go_together_are_left_out_with_the_recipes_own_words(
    read: Read, technique: str, part: str, name: str, reason: str
) -> None:
    found = derive_variants(read(*ORDERED, f"recipes.one.{part}", only(technique)))

    assert name not in [choice.name for choice in found.choices]
    assert reason in reasons(found)[name]
    assert found.choices[0].recipe == "one"


def test_classes_without_order_leave_both_ways_to_order_out(read: Read) -> None:
    found = derive_variants(read(only("ordinal")))

    assert [choice.name for choice in found.choices] == ["without order"]
    assert list(reasons(found)) == ["ordinal smoothing", "corn head"]
    assert all("data.ordinal is false" in reason for reason in reasons(found).values())
