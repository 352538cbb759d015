"""Processes that share a unit take what fits in all of them, and agree on it beforehand."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import distributed

from raymed.data.predictions import logits_of
from raymed.models import Classifier, build_classifier
from raymed.training import FoldContext, Ranks, fold, loop, train_fold

Make = Callable[..., Any]
HOLDS = (100, 3)
"""Samples that the two processes' cards hold at once."""


def one_rank(rank: int, place: Path) -> None:
    """Train fold 0 as one of two processes; write down what it took at once, and how much."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{place / 'rendezvous'}", rank=rank, world_size=2
    )
    recipe, samples, images = pickle.loads((place / "plan").read_bytes())
    sizes: list[int] = []

    def build(*arguments: Any, **options: Any) -> Classifier:
        model = build_classifier(*arguments, **options)

        def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
            if torch.is_grad_enabled() and model.training:
                sizes.append(len(inputs[0]))
                if len(inputs[0]) > HOLDS[rank]:
                    raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

        model.backbone.register_forward_pre_hook(look)
        return model

    fold.build_classifier = build  # type: ignore[attr-defined]
    loop.may_run_out = lambda device: True
    context = FoldContext(
        "m", place / "attempt", (), images, None, "cpu", 3, 0.0, ranks=Ranks.here()
    )
    for _ in train_fold(recipe, 0, samples, context):
        pass
    (place / f"{rank}.json").write_text(json.dumps({"sizes": sizes, "most": context.micro.most}))
    distributed.destroy_process_group()


def test_two_processes_agree_on_what_the_smaller_card_holds(
    toy: Any, recipe: Make, run: Make, tmp_path: Path
) -> None:
    """18 rows in batches of 8 and 10: shares of 4 and 5, of which the second process holds 3."""
    plan = recipe(
        phases=({"train": "all", "epochs": 2, "lr": 1e-3},),
        batch_size=8,
        workers=2,
        freeze_batchnorm=True,
    )
    (tmp_path / "attempt").mkdir()
    (tmp_path / "plan").write_bytes(pickle.dumps((plan, toy.samples, toy.images)))
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)]) for rank in (0, 1)
    ]

    assert [process.wait(180) for process in ranks] == [0, 0]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert (first["most"], second["most"]) == (3, 3)
    assert first["sizes"][0] == 5  # it rehearsed a whole share, which fits
    assert set(first["sizes"][1:]) == set(second["sizes"][1:]) == {2, 3}
    shared = logits_of(pq.read_table(tmp_path / "attempt" / "predictions.parquet"))
    np.testing.assert_allclose(shared, logits_of(run(plan).predictions), atol=1e-4)


if __name__ == "__main__":
    one_rank(int(sys.argv[1]), Path(sys.argv[2]))
