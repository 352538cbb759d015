"""Which parts of a recipe go together; the others are refused with a reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from raymed.config import Recipe
from raymed.errors import InputError

HEAD = [{"train": "head", "epochs": 1, "lr": 1e-2}]
COSINE = {"kind": "cosine", "margin": 0.2}
PROTOTYPICAL = "prototypical"

CLASHING: list[tuple[dict[str, Any], str]] = [
    ({"evidential": {}, "head": PROTOTYPICAL}, "never above 0"),
    ({"evidential": {}, "head": "corn"}, "a score of evidence"),
    ({"evidential": {}, "label_smoothing": 0.1}, "learns doubt from one true class"),
    ({"evidential": {}, "ordinal_smoothing": {}}, "learns doubt from one true class"),
    ({"label_smoothing": 0.1, "ordinal_smoothing": {}}, "two ways to soften"),
    ({"mixup": {}, "head": COSINE}, "no one class that a margin"),
    ({"mixup": {}, "head": PROTOTYPICAL}, "mean of one class"),
    ({"mixup": {}, "triplet": {}}, "pull a sample to its class"),
    ({"mixup": {}, "center": {}}, "pull a sample to its class"),
    ({"phases": HEAD, "triplet": {}}, "form features"),
    ({"phases": HEAD, "center": {}}, "form features"),
    ({"phases": HEAD, "squeeze_excite": {}}, "stay the identity"),
    ({"phases": HEAD, "mixup": {"kind": "cutmix"}}, "never sees its images"),
    ({"workers": 2, "head": PROTOTYPICAL}, "set workers: 1"),
    ({"sam": {"part": 0.5}, "head": PROTOTYPICAL}, "whole episodes"),
    ({"batch_size": 10, "head": PROTOTYPICAL}, "lower head.shots"),
]

TOGETHER: list[dict[str, Any]] = [
    {"head": "cosine", "evidential": {}, "mixup": {}},
    {"head": "corn", "ordinal_smoothing": {}, "mixup": {"kind": "input"}},
    {"head": "prototypical", "triplet": {}, "center": {}, "sam": {}},
    {"phases": HEAD, "mixup": {}, "head": "cosine"},
    {"phases": HEAD, "head": "prototypical"},
    {"squeeze_excite": {"stages": [1, 3]}, "class_weights": "balanced", "evidential": {}},
]

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"head": {"kind": "cosine", "margin": -0.1}}, "head.margin"),
    ({"head": {"kind": "cosine", "scale": 0}}, "head.scale"),
    ({"head": {"kind": "linear", "margin": 0.1}}, "margin is for kind: cosine, this is linear"),
    ({"head": {"kind": "cosine", "shots": 3}}, "shots is for kind: prototypical"),
    ({"head": "kosine"}, "head.kind"),
    ({"triplet": {"weight": -1}}, "triplet.weight"),
    ({"triplet": {"margin": 0}}, "triplet.margin"),
    ({"center": {"weight": -0.1}}, "center.weight"),
    ({"center": {"lr": 2}}, "center.lr"),
    ({"mixup": {"alpha": 0}}, "mixup.alpha"),
    ({"mixup": {}, "batch_size": 1}, "batch_size"),
    ({"mixup": {}, "batch_size": 2, "workers": 2}, "less than two samples"),
    ({"evidential": {"anneal": 0}}, "evidential.anneal"),
    ({"squeeze_excite": {"stages": [3, 1]}}, "the first one first"),
    ({"squeeze_excite": {"stages": [0]}}, "squeeze_excite.stages"),
    ({"ordinal_smoothing": {"temperature": 0}}, "ordinal_smoothing.temperature"),
]


@pytest.mark.parametrize(("changes", "reason"), CLASHING, ids=str)
def test_a_pair_that_makes_no_sense_is_refused_with_its_reason(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        Recipe.model_validate({"model": "m", **changes})


@pytest.mark.parametrize("changes", TOGETHER, ids=str)
def test_parts_that_go_together_are_taken(changes: dict[str, Any]) -> None:
    recipe = Recipe.model_validate({"model": "m", **changes})

    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(("changes", "place"), WRONG, ids=str)
def test_values_that_mean_nothing_are_refused_in_their_place(
    changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({"model": "m", **changes})

    error = caught.value.errors()[0]
    assert place in ".".join(map(str, error["loc"])) + " " + error["msg"]


@pytest.mark.parametrize("change", ["head: corn", "ordinal_smoothing: {}"])
def test_classes_without_an_order_refuse_what_is_for_stages(read: Any, change: str) -> None:
    name, _, value = change.partition(": ")

    with pytest.raises(InputError, match=r"data\.ordinal: true"):
        read(f"recipes.one.{name}={value}")
    read(f"recipes.one.{name}={value}", "data.ordinal=true")


@pytest.mark.parametrize("word", ["none", None])
@pytest.mark.parametrize(
    "option", ["evidential", "triplet", "center", "mixup", "squeeze_excite", "ordinal_smoothing"]
)
def test_the_word_none_turns_an_option_off(option: str, word: str | None) -> None:
    assert Recipe.model_validate({"model": "m", option: word}) == Recipe(model="m")


def test_an_option_that_is_not_taken_changes_no_identity_and_one_that_is_does() -> None:
    plain = Recipe(model="m").meaning()

    assert (
        Recipe.model_validate({"model": "m", "mixup": "none", "head": "linear"}).meaning() == plain
    )
    assert Recipe.model_validate({"model": "m", "mixup": {}}).meaning() != plain
