"""Where units run: chosen when left open, refused at once when it can never be."""

from typing import Any

import pytest
import torch

from raymed.cluster.spreading import Node
from raymed.errors import InputError
from raymed.pipeline.placement import place, place_on


def test_one_machine_without_a_gpu_reuses_workers(make: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert place(make()).engine == "workers"
    assert place(make("cluster.engine=train")).engine == "train"


def test_a_shared_unit_takes_ray_train_and_one_machines_gpus_do_not(
    make: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert place(make("recipes.cnn.workers=2")).engine == "train"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    on_gpus = place(make("cluster.workers=auto"))
    assert (on_gpus.device, on_gpus.engine) == ("cuda", "workers")
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
            ["recipes.cnn.workers=2", "recipes.cnn.min_workers=1", "cluster.engine=workers"],
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


CPUS = (Node("10.0.0.1", 1, 0), Node("10.0.0.2", 4, 0), Node("10.0.0.3", 2, 0))
MIXED = (Node("10.0.0.1", 4, 2, "T4"), Node("10.0.0.2", 8, 4, "A100"))
GPUS = (Node("10.0.0.1", 2, 0), Node("10.0.0.2", 8, 4), Node("10.0.0.3", 1, 2))


@pytest.mark.parametrize(
    ("nodes", "workers", "found"),
    [
        (CPUS, "auto", ("cpu", "workers", 7, 0)),
        (CPUS, 3, ("cpu", "workers", 3, 0)),
        (CPUS, 9, ("cpu", "workers", 7, 0)),  # more would wait for ever
        (GPUS, "auto", ("cuda", "train", 5, 5)),  # the third node's second GPU has no core
        (GPUS, 2, ("cuda", "train", 2, 2)),
        (GPUS, 12, ("cuda", "train", 9, 4.5)),  # two on each GPU, and again one core there
    ],
)
def test_a_running_ray_is_filled_as_far_as_its_nodes_have_room(
    make: Any, nodes: tuple[Node, ...], workers: int | str, found: tuple[object, ...]
) -> None:
    placement = place_on(make(f"cluster.workers={workers}"), nodes)

    assert (placement.device, placement.engine, placement.workers, placement.gpus) == found


@pytest.mark.parametrize(
    ("overrides", "nodes", "words"),
    [
        (["cluster.device=cuda"], CPUS, "cuda is not available on 10.0.0.1"),
        (
            ["recipes.cnn.workers=8"],
            CPUS,
            "recipes.cnn.workers: 8 processes a unit, nodes have room for 7",
        ),
        (["recipes.cnn.workers=3"], CPUS, "3 processes a unit, cluster.workers is 2"),
        ([], (Node("10.0.0.1", 0, 0),), "no node has room for a process of one core"),
        (
            ["cluster.device=auto", "cluster.gpu_kind=H100"],
            MIXED,
            r"cluster.gpu_kind: no node has a GPU of kind H100: 10.0.0.1 \(4 CPUs, 2 GPUs T4\).*"
            "name one of A100, T4",
        ),
        (
            ["cluster.device=auto", "cluster.gpu_kind=T4", "recipes.cnn.workers=3"],
            MIXED,
            "3 processes a unit, nodes have room for 2",
        ),
    ],
)
def test_what_no_node_can_meet_is_refused(
    make: Any, overrides: list[str], nodes: tuple[Node, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        place_on(make(*overrides), nodes)


def test_a_recipe_that_can_do_with_fewer_processes_is_taken_where_there_is_room_for_these(
    make: Any,
) -> None:
    wish = ["cluster.workers=auto", "recipes.cnn.workers=8"]

    placement = place_on(make(*wish, "recipes.cnn.min_workers=7"), CPUS)

    assert (placement.workers, placement.engine) == (7, "train")
    with pytest.raises(InputError, match="min_workers: 8 processes a unit, nodes have room for 7"):
        place_on(make(*wish, "recipes.cnn.min_workers=8"), CPUS)


def test_a_kind_of_gpu_leaves_the_other_nodes_out(make: Any) -> None:
    wish = ("cluster.workers=auto", "cluster.device=auto")

    placement = place_on(make(*wish, "cluster.gpu_kind=T4"), MIXED)

    assert (placement.workers, placement.gpus, placement.gpu_kind) == (2, 2, "T4")
    assert place_on(make(*wish), MIXED).workers == 6


def test_a_kind_of_gpu_that_this_machine_has_not_is_refused(make: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    wish = make("cluster.device=auto", "cluster.gpu_kind=H100")

    with pytest.raises(InputError, match="no node has a GPU of kind H100: this machine"):
        place(wish)
    with pytest.raises(InputError, match="gpu_kind: names a GPU, but device is cpu"):
        make("cluster.device=cpu", "cluster.gpu_kind=H100")


def test_on_a_ray_that_scales_as_many_work_as_are_asked_for_each_with_a_gpu(make: Any) -> None:
    first = [Node("10.0.0.1", 4, 1)]

    fixed = place_on(make("cluster.workers=8"), first)
    scaling = place_on(make("cluster.workers=8", "cluster.wait_minutes=5"), first)

    assert (fixed.workers, fixed.gpus) == (4, 0.5)
    assert (scaling.workers, scaling.gpus) == (8, 8.0)
    assert scaling.patience == 300
    assert fixed.patience == 120
