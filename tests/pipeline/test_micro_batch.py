"""What a fold learned of the card's memory is written down, and the next folds begin with it."""

from typing import Any

import pytest
import torch

from raymed.models import build_classifier
from raymed.pipeline.members import plan_members
from raymed.pipeline.prepare import prepare
from raymed.pipeline.units import FoldUnit, Trained, fold_units
from raymed.runs import RunFolder
from raymed.stories import result_of

HOLDS = 5


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let models train on five samples at once, of batches of 16; gives what was too much."""
    sizes: list[int] = []

    def build(*arguments: Any, **options: Any) -> torch.nn.Module:
        model = build_classifier(*arguments, **options)

        def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
            if torch.is_grad_enabled() and model.training and len(inputs[0]) > HOLDS:
                sizes.append(len(inputs[0]))
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

        model.backbone.register_forward_pre_hook(look)
        return model

    monkeypatch.setattr("raymed.training.fold.build_classifier", build)
    return sizes


def test_the_next_fold_of_a_member_takes_at_once_what_fitted_the_last_one(
    make: Any, tmp_path: Any, refused: list[int]
) -> None:
    experiment, run = make("recipes.cnn.phases=[{epochs: 1, lr: 2e-3}]"), RunFolder.at(tmp_path)
    prepared = result_of(prepare(experiment, run))
    members = plan_members(experiment, run, prepared)
    first, second = (
        unit
        for unit in fold_units(experiment, run, members, prepared, "cpu")
        if unit.member == "cnn"
    )

    def finish(unit: FoldUnit) -> dict[str, Any]:
        trained: Trained = result_of(unit.work())
        folder = run.member(unit.member_id)
        folder.finish_fold(unit.fold, trained.attempt, **trained.facts)
        return folder.fold_facts(unit.fold)

    assert finish(first)["micro_batch"] == 4
    assert refused == [16, 8]
    assert finish(second)["micro_batch"] == 4
    assert refused == [16, 8]
