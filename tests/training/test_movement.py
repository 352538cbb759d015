"""How far training moved each layer group from its first weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymed.config import Recipe
from raymed.models import build_classifier, layer_groups
from raymed.training import GroupMoved, compute_features
from raymed.training.movement import first_weights, group_movement, model_movement, named_groups

Make = Callable[..., Any]
HEAD = {"train": "head", "epochs": 2, "lr": 1e-2}
ALL = {"train": "all", "epochs": 2, "lr": 1e-3, "ratio": 0.1}
STEPS = 3  # 18 training rows in batches of 8


def test_a_groups_movement_is_one_norm_over_all_its_parameters() -> None:
    """Start (3, 0) and (0, 4): norm 5. Changes (0, 2), (1, 2): norm sqrt(4 + 1 + 4) = 3."""
    first = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([[0.0, 4.0]])}
    last = {"a": torch.tensor([3.0, 2.0]), "b": torch.tensor([[1.0, 6.0]])}
    assert group_movement(first, last, [("both", ["a", "b"]), ("a", ["a"])]) == [
        GroupMoved("both", 0.6, 3.0),
        GroupMoved("a", 2 / 3, 2.0),
    ]


def test_what_starts_at_zero_has_no_relative_change() -> None:
    first, last = {"head.weight": torch.zeros(2)}, {"head.weight": torch.tensor([3.0, 4.0])}
    assert group_movement(first, last, [("head", ["head.weight"])]) == [
        GroupMoved("head", None, 5.0)
    ]


def test_weights_that_are_not_finite_have_no_movement() -> None:
    """A bias of minus infinity can hide behind a ReLU; JSON has no word for its norm."""
    first, last = {"bias": torch.ones(2)}, {"bias": torch.tensor([1.0, -torch.inf])}
    assert group_movement(first, last, [("stem", ["bias"])]) == [GroupMoved("stem", None, None)]


@given(
    values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8).filter(any),
    factor=st.floats(-4, 4, width=16),
)
def test_scaling_weights_moves_them_by_the_factors_distance_from_one(
    values: list[float], factor: float
) -> None:
    """|factor w - w| / |w| = |factor - 1|, whatever w."""
    first = {"w": torch.tensor(values, dtype=torch.float64)}
    (moved,) = group_movement(first, {"w": factor * first["w"]}, [("stem", ["w"])])
    assert moved.relative == pytest.approx(abs(factor - 1), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("test_resnet", ["stem", "layer1.0", "layer2.0", "layer3.0", "layer4.0", "head"]),
        ("test_vit", ["stem", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4"]),
        ("hybrid/test_resnet", ["stem", "cnn.layer1.0", "cnn.layer2.0", "cnn.layer3.0"]),
    ],
)
def test_groups_are_called_after_their_modules(model: str, names: list[str]) -> None:
    hybrid = {"embedding_dim": 16, "heads": 2} if model.startswith("hybrid") else None
    classifier = build_classifier(Recipe(model=model, pretrained="none", size=32, hybrid=hybrid), 3)
    groups = named_groups(classifier)
    assert [group for group, _ in groups][: len(names)] == names
    assert groups[-1][0] == "head"
    assert [list(parameters) for _, parameters in groups] == layer_groups(classifier)
    assert (groups[-2][0] == "new layers") == (hybrid is not None)


def test_a_frozen_group_moved_by_exactly_zero(recipe: Make, run: Make) -> None:
    *body, head = run(recipe(phases=(HEAD,))).moved
    assert len(body) > 3
    assert {(group.relative, group.absolute) for group in body} == {(0.0, 0.0)}
    assert head.group == "head"
    assert head.relative is None
    assert head.absolute > 0.01


def test_gradual_unfreezing_leaves_the_stem_where_it_was(recipe: Make, run: Make) -> None:
    moved = run(recipe(phases=({**ALL, "unfreeze": True},))).moved
    assert moved[0].relative == 0  # two epochs: the head, and one group more
    assert moved[-2].relative > 0


def test_discriminative_rates_move_the_stem_less_and_the_top_the_same_way(
    recipe: Make, run: Make
) -> None:
    progressive = run(recipe(phases=(ALL,))).moved
    standard = run(recipe(phases=({**ALL, "ratio": 1.0},))).moved
    assert [each.group for each in progressive] == [each.group for each in standard]
    shares = [a.relative / b.relative for a, b in zip(progressive[:-1], standard, strict=False)]
    assert shares[0] < 0.5
    assert shares[0] < shares[-1]


def test_the_movement_is_from_the_first_weights_to_those_that_were_saved(
    recipe: Make, run: Make, model_of: Make, tmp_path: Path
) -> None:
    """Pretrained ones, which do not depend on the seed, can be had again without the trainer."""
    torch.save(model_of(recipe()).backbone.state_dict(), tmp_path / "weights.pth")
    plan = recipe(pretrained={"file": tmp_path / "weights.pth"}, phases=(HEAD, ALL))
    done = run(plan)
    model = build_classifier(plan, 3)
    first = first_weights(model)
    model.load_state_dict(done.weights)
    assert done.moved == model_movement(model, first)
    assert all(group.absolute > 0 for group in done.moved)


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_resumed_fold_moved_as_far_as_one_that_was_never_stopped(
    recipe: Make, run: Make, model_of: Make, tmp_path: Path, pretrained: bool
) -> None:
    torch.save(model_of(recipe()).backbone.state_dict(), tmp_path / "weights.pth")
    weights = {"file": tmp_path / "weights.pth"} if pretrained else "none"
    plan = recipe(pretrained=weights, phases=(HEAD, ALL), dropout=0.3)
    whole = run(plan)
    continued = run(plan, earlier=(run(plan, stop=2 * STEPS + 2),))
    assert continued.reports[0].step == 2 * STEPS + 1
    assert continued.moved == whole.moved
    assert run(plan, earlier=(whole,)).moved == whole.moved  # killed before it was marked


def test_a_probe_on_cached_features_moved_its_head_alone(toy: Any, recipe: Make, run: Make) -> None:
    plan = recipe(phases=(HEAD,))
    for _ in compute_features(plan, toy.images, toy.features, "cpu", 3):
        pass
    whole = run(plan, features=True)
    weights = [value.double() for name, value in whole.weights.items() if name.startswith("head.")]
    norm = float(sum(value.square().sum() for value in weights)) ** 0.5
    body, head = whole.moved
    assert body == GroupMoved("body", 0.0, 0.0)
    assert (head.group, head.relative) == ("head", None)
    assert head.absolute == pytest.approx(norm, rel=1e-12)
    assert run(plan, features=True, earlier=(whole,)).moved == whole.moved
