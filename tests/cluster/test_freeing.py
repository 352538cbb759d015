"""Between units nothing of the last one's model lives, however it ended."""

import weakref
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from raymed.cluster.sweep_worker import _alone
from raymed.cluster.telling import Telling
from raymed.cluster.units import Fault, Returned
from raymed.cluster.workers import _Worker
from raymed.config import Recipe, Sam
from raymed.models import build_classifier
from raymed.optim import SAM, build_optimizer, sam_step
from raymed.training import Progress

ENDS = ["well", "raises", "is stopped"]


@dataclass
class Training:
    """A unit that takes a step of SAM on a real model, in a knot of references, and ends."""

    end: str
    born: list[weakref.ref[torch.nn.Module]] = field(default_factory=list)
    workers: int = 1
    fewest: int = 1

    def work(self, checkpoint: Path | None = None) -> Generator[Progress, None, str]:
        recipe = Recipe(
            model="test_resnet",
            pretrained="none",
            size=32,
            phases=({"epochs": 1, "lr": 1e-3},),
            sam=Sam(),
        )
        model = build_classifier(recipe, 2)
        self.born.append(weakref.ref(model))
        names = [name for name, _ in model.named_parameters()]
        optimizer = build_optimizer(model, [names], recipe.phases[0], recipe.optimizer, recipe.sam)
        assert isinstance(optimizer, SAM)
        model.knot = [model, optimizer]  # type: ignore[assignment]
        images = torch.rand(4, 1, 32, 32)
        sam_step(model, optimizer, lambda: model(images).square().mean())
        yield Progress(1, 2)
        if self.end == "raises":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        yield Progress(2, 2)
        return "done"


class Stop:
    """A mailbox in which word of a stop comes at the second report, as Tune's does."""

    def __init__(self, end: str) -> None:
        self.end, self.words = end, 0

    def put(self, name: str, progress: Progress) -> None:
        self.words += 1
        if self.end == "is stopped" and self.words == 2:
            raise SystemExit


@pytest.mark.parametrize("end", ENDS[:2])
def test_a_reused_worker_lets_go_of_a_unit_before_it_says_that_it_ended(end: str) -> None:
    unit = Training(end)
    said = [(word, unit.born[0]() is not None) for word in _Worker().run(unit)]

    assert isinstance(said[-1][0], Fault if end == "raises" else Returned)
    assert [lives for _, lives in said] == [True] * (len(said) - 1) + [False]


@pytest.mark.parametrize("end", ENDS)
def test_a_worker_of_a_sweep_lets_go_of_a_unit_also_where_its_trial_is_stopped(end: str) -> None:
    unit, mailbox = Training(end), Stop(end)
    try:
        said = _alone("unit", unit, mailbox, Telling(), by_epoch=False)  # type: ignore[arg-type]
    except SystemExit:
        assert end == "is stopped"
    else:
        assert isinstance(said, Fault if end == "raises" else Returned)

    assert mailbox.words
    assert unit.born[0]() is None
