"""Where the device's memory runs out a batch is taken in parts, and the step stays the same."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymed.data.predictions import logits_of
from raymed.errors import TrainingError
from raymed.models import Classifier, build_classifier
from raymed.training import MicroBatch
from raymed.training.steps import take_fitting_step

Make = Callable[..., Any]
PLAIN = {"batch_size": 7, "freeze_batchnorm": True, "class_weights": "balanced"}
SAMS: list[Any] = [
    "none",
    {"rho": 0.5},
    {"rho": 0.5, "part": 0.6},
    {"variant": "asam"},
    {"variant": "looksam", "every": 2},
    {"variant": "msam"},
]


@dataclass
class Card:
    """A device that holds what a model keeps of so many samples in a pass, and no more."""

    samples: int
    within: str = "forward"
    sizes: list[int] = field(default_factory=list)
    refused: int = 0

    def hold(self, model: Classifier) -> Classifier:
        """Have the model's passes run out of memory, amid it."""

        def look(_: object, arguments: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            size = len(arguments[0])
            if torch.is_grad_enabled() and model.training:
                self.sizes.append(size)
                if size > self.samples and self.within == "forward":
                    self._run_out()
                elif size > self.samples:
                    output.register_hook(lambda gradient: self._run_out())

        model.backbone.register_forward_hook(look)
        return model

    def _run_out(self) -> None:
        self.refused += 1
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture
def on_card(monkeypatch: pytest.MonkeyPatch) -> Callable[[Card], Card]:
    """Put the models of the coming folds on a card."""

    def put(card: Card) -> Card:
        monkeypatch.setattr(
            "raymed.training.fold.build_classifier",
            lambda *arguments, **options: card.hold(build_classifier(*arguments, **options)),
        )
        return card

    return put


@given(samples=st.integers(2, 500), most=st.integers(2, 500))
def test_parts_cover_a_batch_and_none_is_a_single_sample(samples: int, most: int) -> None:
    sizes = [part.stop - part.start for part in MicroBatch(most).cut(samples)]

    assert sum(sizes) == samples
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= most + (most == 2)


@given(samples=st.integers(4, 500))
def test_halving_goes_on_until_parts_hold_two_or_three(samples: int) -> None:
    micro, largest = MicroBatch(), samples
    while micro.halve(samples):
        smaller = max(part.stop - part.start for part in micro.cut(samples))
        assert smaller < largest
        largest = smaller

    assert largest in (2, 3)


@pytest.mark.parametrize("within", ["forward", "backward"])
@pytest.mark.parametrize("sam", SAMS)
def test_a_fold_that_ran_out_of_memory_ends_as_one_that_did_not(
    recipe: Make, run: Make, on_card: Make, sam: Any, within: str
) -> None:
    """Batches of 7, 7 and 4 on a card for 3, without dropout and with BatchNorm frozen.

    Only the order of sums differs.
    """
    plan = recipe(phases=({"train": "all", "epochs": 2, "lr": 1e-3},), sam=sam, **PLAIN)
    expected = run(plan)
    card = on_card(Card(3, within))
    cut = run(plan)

    assert card.refused == 2  # 7 to 4 to 2 or 3 at once, and never again
    assert max(card.sizes[-6:]) <= 3
    wanted = logits_of(expected.predictions)
    assert np.abs(wanted).max() > 0.005
    np.testing.assert_allclose(logits_of(cut.predictions), wanted, atol=1e-4)
    for name in ("loss", "accuracy"):
        told, wished = cut.epochs[name].to_pylist(), expected.epochs[name].to_pylist()
        np.testing.assert_allclose(told, wished, atol=1e-4)


def test_a_fold_that_never_ran_out_keeps_its_bits(recipe: Make, run: Make, on_card: Make) -> None:
    plan = recipe(**PLAIN)
    expected = run(plan)
    card = on_card(Card(7))

    assert run(plan).equals(expected)
    assert set(card.sizes) == {7, 4}


@pytest.mark.parametrize("sam", ["none", {"rho": 0.5}, {"rho": 0.5, "part": 0.6}])
def test_parts_pull_as_the_whole_batch_does(
    trainer: Make, recipe: Make, model_of: Make, sam: Any
) -> None:
    """Seven samples as 3 and 4, in one step of SGD: gradients agree, clipped or not."""
    steps = {}
    for most in (None, 4):
        plan = recipe(sam=sam, optimizer={"name": "sgd", "clip": 0.05}, **PLAIN)
        driver, model = trainer(plan), model_of(plan)
        optimizer = driver.enter(model, plan.phases[0])
        loss = driver.batch_loss(model, driver.rows[:7], driver.draws(0))
        outcome = take_fitting_step(optimizer, loss, plan, 0.0, MicroBatch(most))
        gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        steps[most] = outcome, torch.cat(gradients)

    assert steps[4][0].correct == steps[None][0].correct
    assert steps[4][0].loss == pytest.approx(steps[None][0].loss, abs=1e-6)
    torch.testing.assert_close(steps[4][1], steps[None][1], atol=1e-6, rtol=1e-4)


def test_batchnorm_that_learns_and_dropout_go_on_with_what_parts_show_them(
    recipe: Make, run: Make, on_card: Make
) -> None:
    card = on_card(Card(4))
    ended = run(recipe(freeze_batchnorm=False, dropout=0.3))

    assert card.refused == 1
    assert np.isfinite(logits_of(ended.predictions)).all()


def test_a_card_too_small_for_two_samples_ends_the_fold_with_a_remedy(
    recipe: Make, run: Make, on_card: Make
) -> None:
    on_card(Card(1))

    with pytest.raises(TrainingError, match=r"with 2 samples at once.*lower batch_size or size"):
        run(recipe(batch_size=8))


def test_memory_that_runs_out_in_the_optimizer_is_not_tried_again(
    trainer: Make, recipe: Make, model_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its step may be half done."""
    plan = recipe(**PLAIN)
    driver, model = trainer(plan), model_of(plan)
    optimizer = driver.enter(model, plan.phases[0])
    loss = driver.batch_loss(model, driver.rows[:7], driver.draws(0))

    def run_out() -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(optimizer, "step", run_out)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        take_fitting_step(optimizer, loss, plan, 0.0, MicroBatch())
    assert len(loss.parts) == 1


def test_prediction_takes_halves_where_memory_runs_out(
    trainer: Make, recipe: Make, model_of: Make
) -> None:
    plan = recipe()
    driver, model = trainer(plan), model_of(plan)
    rows = np.arange(30)
    expected = driver.inputs.predict_all(model, rows, 3)
    sizes = []

    def look(_: object, arguments: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(arguments[0]))
        if sizes[-1] > 8:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    model.backbone.register_forward_pre_hook(look)

    np.testing.assert_allclose(driver.inputs.predict_all(model, rows, 3), expected, atol=1e-6)
    assert sizes == [30, 15, 8, 7, 15, 8, 7]
