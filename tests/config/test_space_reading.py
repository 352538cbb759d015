"""What a search space may not say, and what is said back: place, fault, remedy."""

from typing import Any

import pytest
import yaml

from raymed.config import Recipe
from raymed.config.assembling import recipe_at
from raymed.config.space import Space
from raymed.config.space_reading import read_space
from raymed.errors import InputError

RHO = "{low: 1e-3, high: 1e-1, log: true}"


def read(text: str, numbers_only: bool = False, **recipe: Any) -> Space:
    content = yaml.safe_load(text)
    whole = Recipe.model_validate({"model": "resnet18", **recipe})
    return read_space(content, whole, numbers_only=numbers_only)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"sam: {{roh: {RHO}}}", "search.space.sam.roh: unknown field; did you mean 'rho'?"),
        ("siez: 3", "search.space.siez: unknown field; did you mean 'size'?"),
        ("phases: {1: {lr_: 1}}", "search.space.phases.1.lr_: unknown field; did you mean 'lr'?"),
        ("phases: [{}, {lr_: 1}]", "search.space.phases.1.lr_: unknown field; did you mean 'lr'?"),
        (
            "sam: {choices: [none, {roh: 1}]}",
            "search.space.sam.roh: unknown field; did you mean 'rho'?",
        ),
        ("sam: {chioces: [none, {}]}", "sam.chioces: unknown field; did you mean 'choices'?"),
        ("dropout: {chioces: [0, 1]}", "dropout.chioces: unknown field; did you mean 'choices'?"),
        (
            "dropout: {low: 0, hihg: 0.5}",
            "search.space.dropout.hihg: unknown field; did you mean 'high'?",
        ),
        ("dropout: {low: 0}", "search.space.dropout: high is missing"),
        ("dropout: {low: 0, high: lots}", "search.space.dropout.high: Input should be a valid"),
        ("dropout: {low: 0, high: .inf}", "search.space.dropout.high: Input should be a finite"),
        ("dropout: {low: 0.5, high: 0.1}", "low 0.5 lies above high 0.1; write {low: 0.1"),
        ("dropout: {low: 0.5, high: 0.5}", "low and high are both 0.5; write the number alone"),
        (
            "dropout: {low: 0, high: 0.5, log: true}",
            "search.space.dropout: a log range cannot start at 0; raise low above 0",
        ),
        ("dropout: {low: 0, high: 0.5, step: 0}", "search.space.dropout.step: 0 leads nowhere"),
        ("dropout: {low: 0, high: 0.5, step: 0.2}", "not reached from 0 in steps of 0.2; write hi"),
        ("dropout: {low: 0.1, high: 0.5, step: 0.1, log: true}", "a log range has no steps"),
        ("size: {low: 32.5, high: 64}", "search.space.size.low: 32.5 is no whole number"),
        ("size: {low: 8, high: 64}", "search.space.size.low: Input should be greater than or eq"),
        ("dropout: {low: 0, high: 1}", "search.space.dropout.high: Input should be less than 1"),
        ("model: {low: 0, high: 1}", "search.space.model: takes no numbers; write {choices"),
        ("freeze_batchnorm: {low: 0, high: 1}", "search.space.freeze_batchnorm: takes no numbers"),
        ("sam: {low: 0, high: 1}", "search.space.sam: is no number; give the range to one of var"),
        ("{}", "search.space: is empty; name a field"),
        ("size: 64", "search.space: varies nothing; give a field {low"),
        ("size: {choices: []}", "search.space.size.choices: holds []; list two or more"),
        ("size: {choices: 64}", "search.space.size.choices: holds 64; list two or more"),
        ("size: {choices: [64]}", "search.space.size.choices: has only one; write size: 64"),
        ("size: {choices: [64, 96, '64']}", "search.space.size.choices: 64 stands twice"),
        ("sam: {choices: [none, null]}", "search.space.sam.choices: 'none' stands twice"),
        ("size: {choices: [64, big]}", "search.space.size: Input should be a valid integer"),
        ("size: {choices: [64, 96], low: 1}", "search.space.size.low: stands beside choices"),
        ("size: {choices: [64, {choices: [1, 2]}]}", "size.choices: holds choices; make them one"),
        ("optimizer: {name: {choices: [adamw, adam]}}", "optimizer.name: Input should be 'adamw'"),
        ("optimizer: adamw", "search.space.optimizer: "),
        ("phases: 3", "search.space.phases: holds 3"),
        ("phases: {1: 3}", "search.space.phases.1: holds 3; write fields"),
        ("phases: {3: {lr: 1}}", "search.space.phases.3: the recipe has phases 0 to 2"),
        ("phases: [{}, {}, {}, {lr: 1}]", "search.space.phases.3: the recipe has phases 0 to 2"),
        ("phases: {first: {lr: 1}}", "search.space.phases.first: the recipe has phases 0 to 2"),
        ("budget: {low: 5, high: 10}", "search.space.budget: is resolved when a recipe is read"),
        ("workers: {low: 1, high: 2}", "search.space.workers: changes what a trial runs on"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "phases: {1: {factor: {low: 0.5, high: 0.9}}}",
            "search.space.phases.1.factor: the recipe refuses 0.5; phases.1: give ratio or factor",
        ),
        (
            "sam: {choices: [none, {every: {low: 1, high: 5}}]}",
            "search.space.sam: the recipe refuses every; sam: sam climbs on every step",
        ),
        (
            "hybrid: {choices: [null, {}]}",
            "search.space.hybrid: the recipe refuses as it is; hybrid is for model: hybrid/NAME",
        ),
        (
            "{sam: {variant: {choices: [sam, msam]}},"
            " optimizer: {name: sgd, momentum: {choices: [0, 0.9]}}}",
            "the recipe refuses sam.variant=msam, optimizer.momentum=0.0; msam climbs along",
        ),
        (
            "{model: hybrid/resnet18, hybrid: {embedding_dim: {low: 64, high: 128}}}",
            "cannot be divided among 8 heads",
        ),
    ],
)
def test_what_the_recipe_refuses_is_said_in_its_words(text: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(text)
    assert said in str(refusal.value)


def test_parts_that_only_go_together_may_vary_together() -> None:
    space = read(
        "{model: {choices: [hybrid/resnet18, hybrid/resnet34]},"
        " phases: {1: {new_layers: {low: 2, high: 20}}}}"
    )
    point = {"model": "hybrid/resnet34", "phases.1.new_layers": 5.0}
    assert recipe_at(space, point).phases[1].new_layers == 5


def test_cmaes_takes_numbers_only_and_two_at_least() -> None:
    two = f"{{sam: {{rho: {RHO}}}, dropout: {{low: 0, high: 0.5}}}}"
    assert len(read(two, numbers_only=True).leaves) == 2
    with pytest.raises(InputError, match=r"search\.space\.sam: cmaes takes no choices"):
        read(f"sam: {{choices: [none, {{rho: {RHO}}}]}}", numbers_only=True)
    with pytest.raises(InputError, match="cmaes needs two ranges or more"):
        read(f"sam: {{rho: {RHO}}}", numbers_only=True)


def names(space: Space) -> list[str]:
    return [leaf.name for leaf in space.leaves]


def test_leaves_go_by_dotted_names_below_their_choice() -> None:
    space = read(
        f"{{phases: {{1: {{lr: {RHO}}}}}, sam: {{choices: [none, {{rho: {RHO}}}]}},"
        " size: {low: 64, high: 96, step: 32}}"
    )
    assert names(space) == ["phases.1.lr", "sam", "sam.rho", "size"]
    assert space.conditional
    assert not read(f"sam: {{rho: {RHO}}}").conditional


def test_a_name_that_two_options_share_tells_them_apart() -> None:
    space = read(
        f"sam: {{choices: [none, {{rho: {RHO}}}, {{variant: asam, rho: {{low: 1, high: 2}}}}]}}"
    )
    assert names(space) == ["sam", "sam.rho@rho", "sam.rho@variant=asam, rho"]


def test_a_range_may_be_one_of_the_choices() -> None:
    space = read("dropout: {choices: [0, {low: 0.1, high: 0.5}]}")
    assert names(space) == ["dropout", "dropout@range"]
    assert recipe_at(space, {"dropout": 0.0}).dropout == 0
    assert recipe_at(space, {"dropout": "range", "dropout@range": 0.3}).dropout == 0.3


def test_numbers_that_yaml_takes_for_words_are_numbers() -> None:
    leaf = read("optimizer: {weight_decay: {low: 1e-5, high: 1e-2, log: true}}").leaves[0]
    assert leaf.ends == (1e-5, 1e-2)
    assert read("size: {choices: ['64', 96]}").leaves[0].ends == (64, 96)


def test_phases_may_be_chosen_as_a_whole() -> None:
    space = read(
        f"phases: {{choices: [{{}}, [{{epochs: 9, lr: {RHO}}}], [{{epochs: 1, lr: 1}}, "
        f"{{epochs: 2, lr: {RHO}}}]]}}"
    )
    assert names(space) == ["phases", "phases.0.lr", "phases.1.lr"]
    assert len(recipe_at(space, {"phases": "as it is"}).phases) == 3
    one = recipe_at(space, {"phases": "1 phase", "phases.0.lr": 0.01})
    assert [phase.epochs for phase in one.phases] == [9]


def test_options_of_a_recipe_may_be_chosen_and_go_by_words() -> None:
    space = read(
        "head: {choices: [linear, cosine, {kind: cosine, scale: 30}]}\n"
        "squeeze_excite: {stages: {choices: [[1, 2], [3]]}}\n"
        "evidential: {choices: [none, {anneal: 5}]}\n"
        "mixup: {choices: [none, {alpha: {low: 0.1, high: 1}}]}\n"
    )
    assert [leaf.ends for leaf in space.leaves[:3]] == [
        ("linear", "cosine", "kind=cosine, scale=30.0"),
        ("1, 2", "3"),
        ("none", "anneal=5"),
    ]
    chosen = recipe_at(
        space,
        {
            "head": "kind=cosine, scale=30.0",
            "squeeze_excite.stages": "1, 2",
            "evidential": "none",
            "mixup": "alpha",
            "mixup.alpha": 0.4,
        },
    )
    assert (chosen.head.scale, chosen.evidential) == (30, None)
    assert chosen.squeeze_excite is not None
    assert chosen.squeeze_excite.stages == (1, 2)
    assert chosen.mixup is not None
    assert chosen.mixup.alpha == 0.4
