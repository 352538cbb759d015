"""Where a build's units run: device, engine, how many processes at once."""

import os
from dataclasses import dataclass
from typing import Literal

import torch

from raymed.config import Experiment
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
    shared = {name: recipe.workers for name, recipe in experiment.recipes.items()}
    for name, processes in shared.items():
        if processes > (min(gpus, workers) or workers):
            what = f"{gpus} GPUs" if gpus else f"{workers} cores (cluster.workers)"
            raise InputError(
                f"recipes.{name}.workers",
                f"{processes} processes a unit, but there are {what}",
                "lower it, or build on a larger machine",
            )
        if processes > 1 and wish.engine == "workers":
            raise InputError(
                "cluster.engine",
                f"workers cannot share a unit, recipes.{name}.workers is {processes}",
                "set it to train or auto",
            )
    reused = not gpus and max(shared.values()) == 1
    engine = wish.engine if wish.engine != "auto" else "workers" if reused else "train"
    return Placement("cuda" if gpus else "cpu", engine, workers, min(workers, gpus))
