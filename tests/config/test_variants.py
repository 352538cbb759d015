"""What is compared differs in one technique, and what the experiment has already is used."""

from collections.abc import Callable

import pytest

from raymed.config import Experiment, Phase, Recipe, Sam, Variants, derive_variants
from raymed.errors import InputError

Read = Callable[..., Experiment]

PHASES = "[{train: head, epochs: 1, lr: 3e-3}, {epochs: 5, lr: 1e-4, ratio: 0.1, warmup: 0.1}]"
TUNED = f"recipes.one={{model: resnet10t, phases: {PHASES}}}"
SCRATCH = "recipes.one={model: resnet10t, pretrained: none, phases: [{epochs: 6, lr: 1e-3}]}"


def only(technique: str) -> str:
    return f"compare.techniques=[{technique}]"


def recipes_of(found: Variants) -> dict[str, Recipe]:
    """The recipe of each choice, by the choice's name."""
    return {choice.name: found.recipes[choice.recipe] for choice in found.choices}


def changed(one: Recipe, other: Recipe) -> set[str]:
    """The fields in which two recipes differ."""
    return {name for name in Recipe.model_fields if getattr(one, name) != getattr(other, name)}


@pytest.mark.parametrize("start", [TUNED, SCRATCH])
def test_each_variant_differs_from_the_recipe_in_one_technique_alone(
    read: Read, start: str
) -> None:
    experiment = read(start, "compare.transformer={model: test_vit, pretrained: none}")
    own = {
        "sam": {"sam"},
        "progressive": {"phases"},
        "architecture": {"model", "hybrid", "phases", "pretrained"},
    }

    found = derive_variants(experiment)

    assert {choice.technique for choice in found.choices} == set(own)
    for choice in found.choices:
        assert (
            changed(experiment.recipes["one"], found.recipes[choice.recipe])
            <= own[choice.technique]
        )


def test_a_recipe_without_sam_gets_the_recommended_one(read: Read) -> None:
    experiment = read(TUNED, only("sam"))

    found = recipes_of(derive_variants(experiment))

    assert found["AdamW"] == experiment.recipes["one"]
    assert found["SAM"].sam == Sam(part=0.25, last=0.5)


def test_a_recipe_with_sam_is_itself_the_choice_with_it(read: Read) -> None:
    experiment = read(
        TUNED, "recipes.one.sam={variant: asam}", "recipes.one.optimizer.name=sgd", only("sam")
    )

    found = derive_variants(experiment)

    assert [(each.name, each.recipe, each.against) for each in found.choices] == [
        ("SGD", "one without SAM", None),
        ("ASAM", "one", "SGD"),
    ]
    assert found.recipes["one without SAM"].sam is None


def test_a_recipe_of_the_experiment_that_equals_a_variant_is_that_variant(read: Read) -> None:
    """So its member is used, and its own settings of SAM are those that are compared."""
    flat = TUNED.replace("one", "flat").replace("}]}", "}], sam: {rho: 0.005}}")

    found = derive_variants(read(TUNED, flat, only("sam")))

    assert [each.recipe for each in found.choices] == ["one", "flat"]
    assert set(found.recipes) == {"one", "flat"}


def test_the_standard_schedule_is_one_phase_as_long_at_the_main_rate(read: Read) -> None:
    found = derive_variants(read(TUNED, only("progressive")))

    assert [each.name for each in found.choices] == ["standard", "progressive"]
    assert found.choices[1].recipe == "one"
    phases = found.recipes["one in one phase"].phases
    assert phases == (Phase(train="all", epochs=6, lr=1e-4, warmup=0.1),)


def test_one_phase_becomes_three_of_a_sixth_a_third_and_a_half(read: Read) -> None:
    phases = "recipes.one.phases=[{epochs: 12, lr: 1e-3}]"

    found = recipes_of(derive_variants(read(phases, only("progressive"))))

    head, discriminative, low = found["progressive"].phases
    assert [phase.epochs for phase in (head, discriminative, low)] == [2, 4, 6]
    assert (head.train, discriminative.ratio) == ("head", 0.01)
    assert [head.lr, discriminative.lr, low.lr] == pytest.approx([1e-2, 1e-3, 1e-4])


@pytest.mark.parametrize("epochs", range(3, 14))
def test_progressive_phases_are_as_long_together_as_the_one(read: Read, epochs: int) -> None:
    phases = f"recipes.one.phases=[{{epochs: {epochs}, lr: 1e-3}}]"

    found = recipes_of(derive_variants(read(phases, only("progressive"))))

    lengths = [phase.epochs for phase in found["progressive"].phases]
    assert sum(lengths) == epochs
    assert lengths == sorted(lengths)


@pytest.mark.parametrize(
    ("phases", "pretrained", "reason"),
    [
        ("[{epochs: 2, lr: 1e-3}]", "hub", "three epochs or more, the recipe has 2"),
        ("[{epochs: 20, lr: 1e-3}]", "none", "starts from random ones"),
    ],
)
def test_progressive_phases_that_make_no_sense_are_left_out_with_the_reason(
    read: Read, phases: str, pretrained: str, reason: str
) -> None:
    changes = (f"recipes.one.phases={phases}", f"recipes.one.pretrained={pretrained}")

    found = derive_variants(read(*changes, only("progressive")))

    assert [each.name for each in found.choices] == ["standard"]
    assert found.left_out[0].name == "progressive"
    assert reason in found.left_out[0].reason


def test_a_hybrid_learns_at_the_rates_that_its_cnn_has_alone_and_back(read: Read) -> None:
    experiment = read(TUNED, only("architecture"))

    hybrid = recipes_of(derive_variants(experiment))["hybrid/resnet10t"]

    assert [phase.lr for phase in hybrid.phases] == pytest.approx([3e-3, 1e-3])  # 10 x 1e-4
    turned = experiment.model_copy(update={"recipes": {"one": hybrid}})
    alone = recipes_of(derive_variants(turned))["resnet10t"]
    assert [phase.lr for phase in alone.phases] == pytest.approx([3e-3, 1e-4])
    assert changed(alone, experiment.recipes["one"]) <= {"phases"}


def test_the_experiments_own_hybrid_of_as_many_epochs_is_the_one_compared(read: Read) -> None:
    own = TUNED.replace("recipes.one", "recipes.mine").replace("resnet10t", "hybrid/resnet10t")
    longer = own.replace("recipes.mine", "recipes.longer").replace("epochs: 5", "epochs: 9")

    found = derive_variants(read(TUNED, longer, own, only("architecture")))

    assert [each.recipe for each in found.choices] == ["one", "mine"]


def test_without_a_transformer_its_row_is_left_out_and_says_why(read: Read) -> None:
    found = derive_variants(read(TUNED))

    assert ("Transformer", "compare.transformer names none") in [
        (each.name, each.reason) for each in found.left_out
    ]
    named = recipes_of(derive_variants(read(TUNED, "compare.transformer=test_vit")))
    assert named["test_vit"].pretrained.source == "hub"


def test_a_name_that_is_taken_is_not_taken_again(read: Read) -> None:
    other = "recipes={one: {model: resnet10t}, one with SAM: {model: resnet18}}"

    found = derive_variants(read(other, only("sam")))

    assert found.choices[1].recipe == "one with SAM'"


def test_a_recipe_that_is_left_out_takes_its_choices_along(read: Read) -> None:
    found = derive_variants(read(TUNED, only("sam"))).without({"one with SAM": "it broke"})

    assert [each.name for each in found.choices] == ["AdamW"]
    assert [(each.name, each.reason) for each in found.left_out] == [("SAM", "it broke")]


def test_the_ensemble_alone_needs_no_recipe_to_vary(read: Read) -> None:
    probe = "recipes.one.phases=[{train: head, epochs: 1, lr: 1e-3}]"

    assert derive_variants(read(probe, only("ensemble"))).choices == ()
    with pytest.raises(InputError, match=r"compare.recipe: every recipe is a probe; add one"):
        derive_variants(read(probe))
