"""Where a build's units run: device, engine, how many processes at once."""

import os
from dataclasses import dataclass
from typing import Literal

import torch

from raymed.config import Cluster, Experiment, Search
from raymed.errors import InputError


@dataclass(frozen=True)
class Placement:
    """What a build runs on. `gpus` is what all its processes share."""

    device: Literal["cpu", "cuda"]
    engine: Literal["workers", "train"]
    workers: int
    gpus: int


def place(experiment: Experiment) -> Placement:
    """Choose what the configuration leaves open; refuse at once what can never be met.

    `engine: auto` is reused workers where there is no GPU and every unit is one process, else
    Ray Train.
    """
    wish, cuda = experiment.cluster, torch.cuda.is_available()
    if wish.device == "cuda" and not cuda:
        raise InputError("cluster.device", "cuda is not available here", "set it to auto or cpu")
    gpus = torch.cuda.device_count() if cuda and wish.device != "cpu" else 0
    workers = wish.workers or gpus or len(os.sched_getaffinity(0))
    for name, recipe in experiment.recipes.items():
        _refuse_unmet(experiment.cluster, name, recipe.workers, workers, gpus)
    reused = not gpus and all(each.workers == 1 for each in experiment.recipes.values())
    engine = wish.engine if wish.engine != "auto" else "workers" if reused else "train"
    return Placement("cuda" if gpus else "cpu", engine, workers, min(workers, gpus))


def refuse_endless(search: Search, placement: Placement) -> None:
    """Refuse a budget that a search here can never spend."""
    if placement.gpus or search.trials is not None or search.hours is not None:
        return
    fault = "is the whole budget, but no GPU is used here: the search would never end"
    raise InputError("search.gpu_hours", fault, "give trials or hours")


def _refuse_unmet(wish: Cluster, name: str, processes: int, workers: int, gpus: int) -> None:
    """Refuse a recipe whose units take more processes than there can be."""
    place = f"recipes.{name}.workers"
    if gpus and processes > gpus:
        fault = f"{processes} processes a unit, GPUs here: {gpus}"
        raise InputError(place, fault, "lower it, or take a larger machine")
    if processes > workers:
        named = wish.workers is not None
        bound = f"cluster.workers is {workers}" if named else f"cores here: {workers}"
        remedy = "lower it, or raise cluster.workers" if named else "lower it"
        raise InputError(place, f"{processes} processes a unit, {bound}", remedy)
    if processes > 1 and wish.engine == "workers":
        raise InputError(
            "cluster.engine",
            f"workers cannot share a unit, {place} is {processes}",
            "set it to train or auto",
        )
