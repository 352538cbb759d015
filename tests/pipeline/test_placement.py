"""Where units run: chosen when left open, refused at once when it can never be."""

from typing import Any

import pytest
import torch

from raymed.errors import InputError
from raymed.pipeline.placement import place


def test_one_machine_without_a_gpu_reuses_workers(make: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert place(make()).engine == "workers"
    assert place(make("cluster.engine=train")).engine == "train"


def test_a_gpu_or_a_shared_unit_takes_ray_train(make: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert place(make("recipes.cnn.workers=2")).engine == "train"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    on_gpus = place(make("cluster.workers=auto"))
    assert (on_gpus.device, on_gpus.engine) == ("cuda", "train")
    assert (on_gpus.workers, on_gpus.gpus) == (4, 4)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["cluster.device=cuda"], "cluster.device: cuda is not available here"),
        (["cluster.engine=train", "cluster.device=cuda"], "cuda is not available here"),
        (
            ["recipes.cnn.workers=3"],
            r"recipes.cnn.workers: 3 processes a unit, cluster.workers is 2; lower it, or raise",
        ),
        (
            ["recipes.cnn.workers=2", "cluster.engine=workers"],
            r"workers cannot share a unit, recipes.cnn.workers is 2; set it to train or auto",
        ),
    ],
)
def test_what_can_never_be_met_is_refused(
    make: Any, monkeypatch: Any, overrides: list[str], words: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(InputError, match=words):
        place(make(*overrides))


@pytest.mark.parametrize(
    ("processes", "workers", "words"),
    [(3, "auto", "3 processes a unit, GPUs here: 2"), (2, 1, "a unit, cluster.workers is 1")],
)
def test_what_two_gpus_cannot_meet_is_refused_with_what_is_short(
    make: Any, monkeypatch: Any, processes: int, workers: int | str, words: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    with pytest.raises(InputError, match=words):
        place(make(f"recipes.cnn.workers={processes}", f"cluster.workers={workers}"))
