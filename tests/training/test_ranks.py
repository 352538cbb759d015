"""Two processes that share every batch train as one does, within rounding."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import distributed

from raymed.config import Recipe
from raymed.data.predictions import logits_of
from raymed.training import FoldContext, Ranks, train_fold
from tests.forked import exit_code, forked

Make = Callable[..., Any]


def one_rank(rank: int, place: Path) -> None:
    """Train fold 0 as one of two processes that talk over gloo."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{place / 'rendezvous'}", rank=rank, world_size=2
    )
    recipe, samples, images = pickle.loads((place / "plan").read_bytes())
    context = FoldContext(
        "m", place / "attempt", (), images, None, "cpu", 3, 0.0, ranks=Ranks.here()
    )
    for _ in train_fold(recipe, 0, samples, context):
        pass
    distributed.destroy_process_group()


ALIKE: list[dict[str, Any]] = [
    {},
    {"sam": {"synchronised": True, "rho": 0.5}},
    {"center": {"weight": 0.1}, "head": "cosine"},
    {"evidential": {"anneal": 1}},
    {"head": "corn", "ordinal_smoothing": {}},
]


@pytest.mark.parametrize("options", ALIKE, ids=str)
def test_two_processes_give_the_predictions_of_one(
    toy: Any, recipe: Make, run: Make, tmp_path: Path, options: dict[str, Any]
) -> None:
    """18 rows in batches of 7, 7 and 4: shares of 4 and 3 are weighed by what they hold.

    So is the climb of SAM, where both climb along their mean gradient.

    Without augmentation and dropout, with BatchNorm frozen, only the order of sums differs.
    """
    plan = recipe(
        phases=({"train": "all", "epochs": 2, "lr": 1e-3},),
        batch_size=7,
        workers=2,
        freeze_batchnorm=True,
        class_weights="balanced",
        **options,
    )

    shared = trained_by_two(plan, toy, tmp_path)

    expected = logits_of(run(plan).predictions)
    assert np.abs(expected).max() > 0.005
    np.testing.assert_allclose(shared, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["manifold", "input", "cutmix"])
def test_two_processes_each_mix_their_share(
    toy: Any, recipe: Make, tmp_path: Path, kind: str
) -> None:
    phases = ({"train": "all", "epochs": 2, "lr": 1e-3},)
    plan = recipe(phases=phases, workers=2, mixup={"kind": kind, "alpha": 1}, sam={"rho": 0.1})

    assert np.isfinite(trained_by_two(plan, toy, tmp_path)).all()


def trained_by_two(plan: Recipe, toy: Any, place: Path) -> Any:
    """Logits of a fold that two processes trained."""
    (place / "attempt").mkdir()
    (place / "plan").write_bytes(pickle.dumps((plan, toy.samples, toy.images)))
    ranks = [forked(one_rank, rank, place) for rank in (0, 1)]
    assert [exit_code(process, 180) for process in ranks] == [0, 0]
    return logits_of(pq.read_table(place / "attempt" / "predictions.parquet"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workers": 2, "phases": ({"train": "head", "epochs": 1, "lr": 1e-3},)}, "a probe"),
        ({"workers": 8, "batch_size": 15}, "batch_size 15 gives 8 workers"),
        ({"workers": 2, "min_workers": 3}, "min_workers 3 is above workers 2"),
    ],
)
def test_what_cannot_be_shared_is_refused(recipe: Make, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe(**change)
