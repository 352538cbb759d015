"""SAM inside the loop: what the recipe asks for is what is done."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from raymed.errors import TrainingError
from raymed.training.loop import EpochEnd, StepEnd

Make = Callable[..., Any]
ALL = {"train": "all", "epochs": 2, "lr": 1e-3}
RICH = {"phases": (ALL,), "dropout": 0.3, "augmentation": {"noise": 0.1}}


def test_rho_zero_is_plain_training_bit_for_bit(recipe: Make, run: Make) -> None:
    assert run(recipe(**RICH, sam={"rho": 0})).equals(run(recipe(**RICH)))


@pytest.mark.parametrize("variant", ["sam", "asam", "looksam", "msam"])
def test_each_variant_trains_to_other_weights(variant: str, recipe: Make, run: Make) -> None:
    plain, other = (
        run(recipe(**RICH)),
        run(
            recipe(
                **RICH,
                sam={"variant": variant, "every": 2}
                if variant == "looksam"
                else {"variant": variant},
            )
        ),
    )
    assert not other.equals(plain)
    assert all(value.isfinite().all() for value in other.weights.values())


def test_sam_in_the_last_half_is_plain_training_before_it(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    halves: list[dict[str, torch.Tensor]] = []
    for sam in ("none", {"last": 0.5}):
        plan = recipe(phases=(ALL,), sam=sam)
        model = model_of(plan)
        for event in trainer(plan).train(model):
            if isinstance(event, EpochEnd):
                halves.append({k: v.clone() for k, v in model.state_dict().items()})
    equal = [
        all(torch.equal(halves[at][name], halves[at + 2][name]) for name in halves[at])
        for at in (0, 1)
    ]
    assert equal == [True, False]


def test_passes_are_counted_by_what_runs(recipe: Make, model_of: Make, trainer: Make) -> None:
    """Three batches an epoch, two epochs; LookSAM climbs on steps 0, 2 and 4."""
    counts = {}
    for name, sam in {
        "plain": "none",
        "sam": {},
        "looksam": {"variant": "looksam", "every": 2},
        "msam": {"variant": "msam"},
        "last": {"last": 0.5},
    }.items():
        plan = recipe(phases=(ALL,), sam=sam)
        model = model_of(plan)
        calls: list[int] = []
        model.register_forward_hook(lambda *a, calls=calls: calls.append(len(a[2])))  # type: ignore[misc]
        for _ in trainer(plan).train(model):
            pass
        counts[name] = len(calls)
    assert counts == {"plain": 6, "sam": 12, "looksam": 9, "msam": 6, "last": 9}


def test_a_part_of_the_batch_is_climbed_on(recipe: Make, model_of: Make, trainer: Make) -> None:
    plan = recipe(phases=(ALL,), sam={"part": 0.25})
    model = model_of(plan)
    sizes: list[int] = []
    model.register_forward_hook(lambda *a: sizes.append(len(a[1][0])))
    for _ in trainer(plan).train(model):
        pass
    assert sizes[:5] == [2, 8, 2, 8, 2]  # 18 rows in batches of 8; BatchNorm takes no less than 2
    assert sum(sizes[1::2]) == 2 * 18


def test_a_few_steps_that_are_not_finite_are_skipped_and_counted(
    recipe: Make, model_of: Make, trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = recipe(phases=(ALL,), sam={})
    model = model_of(plan)
    made = trainer(plan)
    bad = iter([True, False, True, False])
    real = type(made.inputs).training_batch

    def poisoned(*arguments: Any) -> torch.Tensor:
        batch = real(*arguments)
        return batch * float("nan") if next(bad, False) else batch

    monkeypatch.setattr(type(made.inputs), "training_batch", poisoned)
    events = list(made.train(model))
    assert [event.skipped for event in events if isinstance(event, EpochEnd)] == [2, 0]
    assert all(
        event.loss == event.loss for event in events if isinstance(event, EpochEnd | StepEnd)
    )
    assert all(value.isfinite().all() for value in model.parameters())


def test_a_loss_that_stays_not_finite_fails_with_its_place(recipe: Make, run: Make) -> None:
    plan = recipe(
        model="test_vit",
        phases=({**ALL, "epochs": 9, "lr": 1e30},),
        optimizer={"clip": None},
        sam={},
    )
    with pytest.raises(TrainingError, match=r"the loss became .* lower the rate, or clip"):
        run(plan)


def test_a_probes_head_can_be_trained_sharpness_aware(toy: Any, recipe: Make, run: Make) -> None:
    from raymed.training import compute_features

    head = ({"train": "head", "epochs": 2, "lr": 1e-2},)
    plan = recipe(phases=head, dropout=0.5, sam={})
    for _ in compute_features(plan, toy.images, toy.features, "cpu", 3):
        pass
    plain = run(recipe(phases=head, dropout=0.5), features=True)
    assert not run(plan, features=True).equals(plain)
