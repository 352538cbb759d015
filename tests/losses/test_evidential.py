"""Evidential loss: against another library's, and the paper's own limits."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymed.data.predictions import opinion_of
from raymed.losses import annealed_share, evidential_losses
from raymed.models.heads import Evidence


@pytest.fixture(scope="module")
def oracle() -> ModuleType:
    """torch-uncertainty's file of such losses; the package itself wants more than that."""
    package = importlib.util.find_spec("torch_uncertainty")
    if package is None or package.origin is None:
        pytest.skip("torch-uncertainty is not installed")
    file = Path(package.origin).parent / "losses" / "classification.py"
    spec = importlib.util.spec_from_file_location("classification_losses", file)
    assert isinstance(spec, ModuleSpec)
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(seed: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Evidence of 16 samples, from none to much, and labels."""
    generator = torch.Generator().manual_seed(seed)
    evidence = torch.rand(16, classes, generator=generator, dtype=torch.float64) ** 4 * 50
    return evidence, torch.randint(classes, (16,), generator=generator)


@pytest.mark.parametrize("classes", [2, 4, 9])
@pytest.mark.parametrize("annealed", [0.0, 0.3, 1.0])
def test_it_equals_torch_uncertaintys_loss(
    oracle: ModuleType, classes: int, annealed: float
) -> None:
    evidence, labels = draw(classes, classes)
    theirs = oracle.DECLoss(reg_weight=annealed, loss_type="mse", reduction="none")

    ours = evidential_losses(torch.log1p(evidence), labels, annealed)

    assert torch.allclose(ours, theirs(evidence, labels).squeeze(), atol=1e-6, rtol=0)


def test_in_float32_it_equals_it_too(oracle: ModuleType) -> None:
    evidence, labels = draw(0, 4)
    theirs = oracle.DECLoss(reg_weight=1.0, loss_type="mse")(evidence, labels)

    ours = evidential_losses(torch.log1p(evidence.float()), labels).mean()

    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


@given(epoch=st.integers(0, 40), anneal=st.integers(1, 20))
def test_wrong_evidence_comes_to_its_full_price_epoch_by_epoch(epoch: int, anneal: int) -> None:
    assert annealed_share(epoch, anneal) == pytest.approx(min(1, epoch / anneal))


def test_without_evidence_all_is_uncertainty_and_every_class_as_likely() -> None:
    belief, uncertainty, expected = opinion_of(np.zeros((3, 4), dtype=np.float32))

    assert np.array_equal(belief, np.zeros((3, 4)))
    assert np.array_equal(uncertainty, np.ones(3))
    assert np.array_equal(expected, np.full((3, 4), 0.25))


@given(seed=st.integers(0, 1000), classes=st.integers(2, 9))
def test_belief_and_uncertainty_add_up_and_logits_give_the_expected_probabilities(
    seed: int, classes: int
) -> None:
    scores = 10 * torch.randn(8, classes, generator=torch.Generator().manual_seed(seed))
    logits = Evidence()(scores)

    belief, uncertainty, expected = opinion_of(logits.numpy())

    assert np.allclose(belief.sum(1) + uncertainty, 1)
    assert (belief >= 0).all()
    assert np.allclose(torch.softmax(logits, 1).numpy(), expected, atol=1e-6)


def test_evidence_has_a_slope_where_scores_are_far_below_zero() -> None:
    scores = torch.full((1, 3), -8.0, requires_grad=True)

    evidential_losses(Evidence()(scores), torch.tensor([0])).sum().backward()  # type: ignore[no-untyped-call]

    assert scores.grad is not None
    assert (scores.grad != 0).all()
