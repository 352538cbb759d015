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


@pytest.mark.parametrize("sam", ["none", {"synchronised": True, "rho": 0.5}])
def test_two_processes_give_the_predictions_of_one(
    toy: Any, recipe: Make, run: Make, tmp_path: Path, sam: Any
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
        sam=sam,
    )
    (tmp_path / "attempt").mkdir()
    (tmp_path / "plan").write_bytes(pickle.dumps((plan, toy.samples, toy.images)))
    ranks = [forked(one_rank, rank, tmp_path) for rank in (0, 1)]

    assert [exit_code(process, 180) for process in ranks] == [0, 0]
    alone = run(plan)
    shared = logits_of(pq.read_table(tmp_path / "attempt" / "predictions.parquet"))
    expected = logits_of(alone.predictions)
    assert np.abs(expected).max() > 0.005
    np.testing.assert_allclose(shared, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workers": 2, "phases": ({"train": "head", "epochs": 1, "lr": 1e-3},)}, "a probe"),
        ({"workers": 8, "batch_size": 15}, "batch_size 15 gives 8 workers"),
    ],
)
def test_what_cannot_be_shared_is_refused(recipe: Make, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe(**change)
