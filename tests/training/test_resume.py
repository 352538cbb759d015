"""A fold that was stopped and goes on in a new attempt equals one that was never stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raymed.training import compute_features

Make = Callable[..., Any]
STEPS = 3  # 18 training rows in batches of 8, or two of each of 6 patients in batches of 4
PHASES = (
    {"train": "head", "epochs": 2, "lr": 1e-2},
    {"train": "all", "epochs": 3, "lr": 1e-3, "ratio": 0.1, "warmup": 0.2},
)
OPTIMIZERS = {
    "adamw": {"name": "adamw"},
    "sgd": {"name": "sgd", "momentum": 0.9},
    "plain": {"name": "sgd", "momentum": 0.0},  # has no state at all
}


SAMS: dict[str, Any] = {
    "sam": {"part": 0.5, "last": 0.6},
    "asam": {"variant": "asam"},
    "looksam": {"variant": "looksam", "every": 4},
    "msam": {"variant": "msam"},
}


@pytest.fixture(params=[*OPTIMIZERS, *SAMS])
def plan(request: pytest.FixtureRequest, recipe: Make) -> Any:
    """Two phases with every source of randomness: order, draws, augmentation, dropout."""
    return recipe(
        phases=PHASES,
        optimizer=OPTIMIZERS.get(request.param, {}),
        sam=SAMS.get(request.param, "none"),
        dropout=0.3,
        augmentation={"noise": 0.1},
        samples_per_patient=2,
        batch_size=4,
    )


def first_step(run: Any) -> int:
    return int(run.reports[0].step)


def test_a_stopped_fold_continues_bit_for_bit(plan: Any, run: Make) -> None:
    whole = run(plan)
    assert first_step(whole) == 1
    for epoch in range(1, 6):  # stopped within it: 3 is the first of phase 2
        stopped = run(plan, stop=(epoch - 1) * STEPS + 2)
        continued = run(plan, earlier=(stopped,))
        assert first_step(continued) == (epoch - 1) * STEPS + 1
        assert continued.equals(whole)
        told = ("phase", "epoch", "loss", "held_out_loss", "lr_head", "lr_stem")
        assert continued.epochs.select(told).equals(whole.epochs.select(told))


def test_a_fold_stopped_twice_continues_from_the_furthest_attempt(recipe: Make, run: Make) -> None:
    plan = recipe(phases=PHASES, augmentation={})
    first = run(plan, stop=STEPS + 1)
    second = run(plan, stop=3 * STEPS + 1, earlier=(first,))
    assert first_step(second) == STEPS + 1
    third = run(plan, earlier=(second, first))
    assert first_step(third) == 3 * STEPS + 1
    assert third.equals(run(plan))


def test_vision_transformers_with_bf16_continue_bit_for_bit(recipe: Make, run: Make) -> None:
    plan = recipe(model="test_vit", phases=PHASES, precision="bf16")
    continued = run(plan, earlier=(run(plan, stop=4 * STEPS + 1),))
    assert first_step(continued) == 4 * STEPS + 1
    assert continued.equals(run(plan))


def test_a_probe_continues_bit_for_bit(toy: Any, recipe: Make, run: Make) -> None:
    plan = recipe(phases=({"train": "head", "epochs": 4, "lr": 1e-2},), dropout=0.3)
    for _ in compute_features(plan, toy.images, toy.features, "cpu", 3):
        pass
    stopped = run(plan, features=True, stop=2 * STEPS + 2)
    continued = run(plan, features=True, earlier=(stopped,))
    assert first_step(continued) == 2 * STEPS + 1
    assert continued.equals(run(plan, features=True))


def spoil(damage: str, attempt: Path) -> None:
    (file,) = attempt.glob("epoch-*.safetensors")
    state = attempt / "state.json"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "one bit":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif damage == "no weights":
        file.unlink()
    elif damage == "no state":
        state.unlink()
    elif damage == "half a state":
        state.write_text(state.read_text()[:40])
    elif damage == "another shape of state":
        state.write_text("[1]")


@pytest.mark.parametrize(
    "damage",
    ["truncated", "one bit", "no weights", "no state", "half a state", "another shape of state"],
)
def test_a_half_written_checkpoint_is_not_read(damage: str, recipe: Make, run: Make) -> None:
    plan = recipe(phases=({"train": "all", "epochs": 2, "lr": 1e-3},))
    stopped = run(plan, stop=STEPS + 1)
    intact = run(plan, stop=STEPS + 1, earlier=(stopped,))
    assert first_step(intact) == STEPS + 1
    spoil(damage, stopped.attempt)
    again = run(plan, earlier=(stopped,))
    assert first_step(again) == 1
    assert again.equals(run(plan))


def test_only_the_newest_checkpoint_is_kept(recipe: Make, run: Make) -> None:
    plan = recipe(phases=({"train": "all", "epochs": 3, "lr": 1e-3},))
    stopped = run(plan, stop=2 * STEPS + 1)
    names = {path.name for path in stopped.attempt.iterdir()}
    assert names == {"epoch-2.safetensors", "state.json"}


def test_a_fold_killed_between_its_weights_and_its_marker_is_not_trained_again(
    recipe: Make, run: Make
) -> None:
    plan = recipe(phases=({"train": "all", "epochs": 2, "lr": 1e-3},))
    whole = run(plan)
    again = run(plan, earlier=(whole,))
    assert again.reports == []
    assert again.equals(whole)
