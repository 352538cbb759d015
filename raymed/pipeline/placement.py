"""Where a build's units run: which Ray, device, engine, how many processes at once."""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from raymed.cluster.attached import LOGS, attached_ray
from raymed.cluster.embedded import embedded_ray
from raymed.cluster.preflight import check_nodes
from raymed.cluster.scaling import nodes_asked_for
from raymed.cluster.scratch import Scratch
from raymed.cluster.spreading import PATIENCE_SECONDS, Node, gpu_kind_here, of_kind, told_nodes
from raymed.config import Cluster, Experiment, Recipe, Search, is_url
from raymed.data.intake.objects.location import Location
from raymed.errors import InputError
from raymed.files import read_json
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.libraries import library_versions
from raymed.runs import RunFolder

Device = Literal["cpu", "cuda"]
_LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class Placement:
    """What a build runs on: `device` is the units', `own_device` the driver's.

    `gpus` is what all processes share, each of `gpu_kind` where that is not None; `address` that of
    a running Ray, None for an embedded one. `cards` are the nodes with their GPUs where nobody said
    how many processes share them; then `workers` is one a GPU, and small models may be packed.
    Nodes that lack may take `patience` seconds to come.
    """

    device: Device
    engine: Literal["workers", "train"]
    workers: int
    gpus: float
    own_device: Device
    address: str | None = None
    gpu_kind: str | None = None
    patience: float = PATIENCE_SECONDS
    cards: tuple[Node, ...] = ()

    @property
    def told(self) -> str:
        """Where, for the reader."""
        return self.device if self.address is None else f"{self.device} of the Ray cluster"

    def sharing(self, recipe: Recipe) -> int:
        """How many processes share a unit of a recipe here."""
        return min(recipe.workers, self.workers)

    def session(self, run: RunFolder) -> AbstractContextManager[Scratch]:
        """Start an embedded Ray or join the running one; gives a folder for its scratch."""
        if self.address is None:
            cores = sum(int(node.cpus) for node in self.cards)
            return embedded_ray(max(self.workers, cores), int(self.gpus), run.log_folder)
        return attached_ray(self.address, run.scratch, run.log_folder)


def placed(experiment: Experiment, run: RunFolder) -> Generator[Event, None, Placement]:
    """Place units on this machine; with `cluster.address` on the nodes there, which are checked.

    Raises `InputError` for what can never be met, or a node that does not serve.
    """
    address = experiment.cluster.address
    if address is None:
        return place(experiment)
    yield Stage(f"checking the nodes of the Ray at {address}")
    needed, versions = needed_places(experiment), library_versions()
    check = partial(check_nodes, address, run.scratch, run.log_folder, needed, versions)
    nodes = yield from _with_room(experiment, check, check())
    placement = replace(place_on(experiment, nodes), address=address)
    yield Note(f"nodes of the Ray at {address}: {told_nodes(nodes)}")
    dashboard = read_json(run.log_folder / LOGS)["dashboard"]
    if dashboard is not None:
        yield Note(f"Ray's dashboard: http://{dashboard}")
    return placement


def _with_room(
    experiment: Experiment, check: Callable[[], list[Node]], nodes: list[Node]
) -> Generator[Event, None, list[Node]]:
    """Wait, on a Ray that scales, until nodes have room for the largest unit; gives the nodes."""
    wish, began = experiment.cluster, time.monotonic()
    refusal = _lack_of_room(experiment, nodes)
    if not wish.wait_minutes or wish.address is None or refusal is None:
        return nodes
    processes = max(recipe.fewest_workers for recipe in experiment.recipes.values())
    gpus = float(wish.device == "cuda" or wish.gpu_kind is not None)
    with nodes_asked_for(wish.address, processes, gpus, wish.gpu_kind):
        while refusal is not None:
            waited, allowed = time.monotonic() - began, 60 * wish.wait_minutes
            if waited > allowed:
                fault = f"{refusal.fault}; waited {wish.wait_minutes:g} min for nodes to come"
                raise InputError(refusal.place, fault, refusal.remedy)
            yield Stage("waiting for nodes to come", round(waited), round(allowed))
            time.sleep(_LOOK_SECONDS)
            nodes = check()
            refusal = _lack_of_room(experiment, nodes)
    return nodes


def _lack_of_room(experiment: Experiment, nodes: Sequence[Node]) -> InputError | None:
    try:
        room_on(experiment, nodes)
    except InputError as error:
        return error
    return None


def place(experiment: Experiment) -> Placement:
    """Choose on this machine what the configuration leaves open; refuse what can never be met.

    `engine: auto` is Ray Train where several processes share a unit, else reused workers.
    """
    import torch

    wish, cuda = experiment.cluster, torch.cuda.is_available()
    if wish.device == "cuda" and not cuda:
        raise InputError("cluster.device", "cuda is not available here", "set it to auto or cpu")
    gpus = torch.cuda.device_count() if cuda and wish.device != "cpu" else 0
    if wish.gpu_kind is not None:
        here = Node("this machine", os.cpu_count() or 1, gpus, gpu_kind_here() if gpus else None)
        of_kind(wish.gpu_kind, [here])
    workers = wish.workers or gpus or len(os.sched_getaffinity(0))
    for name, recipe in experiment.recipes.items():
        _refuse_unmet(experiment.cluster, name, recipe, workers, gpus)
    device: Device = "cuda" if gpus else "cpu"
    cores = len(os.sched_getaffinity(0))
    cards = (Node("this machine", cores, gpus),) if gpus and wish.workers is None else ()
    return Placement(
        device,
        _engine(experiment),
        workers,
        min(workers, gpus),
        device,
        gpu_kind=wish.gpu_kind,
        cards=cards,
    )


def place_on(experiment: Experiment, nodes: Sequence[Node]) -> Placement:
    """Choose the same on the nodes of a running Ray: never more at once than they have room for.

    With GPUs there, `engine: auto` is Ray Train for every unit.
    """
    import torch

    wish, room = experiment.cluster, room_on(experiment, nodes)
    own: Device = "cuda" if wish.device != "cpu" and torch.cuda.is_available() else "cpu"
    device: Device = "cuda" if room.share else "cpu"
    engine = _engine(experiment, on_gpus=room.share > 0)
    gpus = room.share * room.workers
    cards = tuple(of_kind(wish.gpu_kind, nodes)) if room.share and wish.workers is None else ()
    return Placement(
        device,
        engine,
        room.workers,
        gpus,
        own,
        gpu_kind=wish.gpu_kind,
        patience=max(PATIENCE_SECONDS, 60 * wish.wait_minutes),
        cards=cards,
    )


@dataclass(frozen=True)
class Room:
    """What the nodes of a Ray have room for: so many processes, each with a share of a GPU."""

    workers: int
    share: float


def room_on(experiment: Experiment, nodes: Sequence[Node]) -> Room:
    """Tell what nodes have room for; refuse what can never be met. Loads no torch."""
    wish = experiment.cluster
    nodes = of_kind(wish.gpu_kind, nodes)
    told = told_nodes(nodes)
    gpus = 0 if wish.device == "cpu" else sum(int(node.gpus) for node in nodes)
    if wish.device == "cuda" and not gpus:
        raise InputError("cluster.device", f"cuda is not available on {told}", "set it to auto")
    scales = wish.wait_minutes > 0  # more of such nodes are to come
    share = gpus / max(gpus, 0 if scales else wish.workers or 0) if gpus else 0.0
    room = [node.holds(share) for node in nodes]
    if not sum(room):
        fault = f"no node has room for a process of one core{' and a GPU' * bool(gpus)}: {told}"
        raise InputError("cluster.address", fault, "add nodes")
    workers = wish.workers if scales and wish.workers else min(wish.workers or sum(room), sum(room))
    for name, recipe in experiment.recipes.items():
        processes = recipe.fewest_workers
        if processes > sum(room):
            fault = f"{processes} processes a unit, nodes have room for {sum(room)}"
            place = _place_of_fewest(name, recipe)
            raise InputError(place, f"{fault} ({told})", "lower it, or add nodes")
        _refuse_unmet(wish, name, recipe, workers, 0)
    return Room(workers, share)


def _engine(experiment: Experiment, *, on_gpus: bool = False) -> Literal["workers", "train"]:
    wish = experiment.cluster.engine
    reused = not on_gpus and all(each.workers == 1 for each in experiment.recipes.values())
    return wish if wish != "auto" else "workers" if reused else "train"


def needed_places(experiment: Experiment) -> dict[str, Path | Location]:
    """Name what units read beside the run folder, by its key in the configuration."""
    data = experiment.data
    paths = {
        f"recipes.{name}.pretrained.file": recipe.pretrained.file
        for name, recipe in experiment.recipes.items()
    }
    paths["data.root"] = data.root
    found: dict[str, Path | Location] = {
        key: _existing(path) for key, path in paths.items() if path is not None
    }
    if not is_url(data.source):
        return {"data.source": _existing(Path(data.source)), **found}
    location = Location.of(str(data.source))
    return found if location.uri is None else {"data.source": location, **found}


def _existing(path: Path) -> Path:
    """Give the path, or the folder above that is there, as of a pattern of names."""
    return next(each for each in (path, *path.parents) if each.exists())


def refuse_endless(search: Search, placement: Placement) -> None:
    """Refuse a budget that a search here can never spend."""
    if placement.gpus or search.trials is not None or search.hours is not None:
        return
    fault = "is the whole budget, but no GPU is used here: the search would never end"
    raise InputError("search.gpu_hours", fault, "give trials or hours")


def _place_of_fewest(name: str, recipe: Recipe) -> str:
    return f"recipes.{name}.{'workers' if recipe.min_workers is None else 'min_workers'}"


def _refuse_unmet(wish: Cluster, name: str, recipe: Recipe, workers: int, gpus: int) -> None:
    """Refuse a recipe whose units take more processes than there can be, or than an engine has."""
    place, processes = _place_of_fewest(name, recipe), recipe.fewest_workers
    if gpus and processes > gpus:
        fault = f"{processes} processes a unit, GPUs here: {gpus}"
        raise InputError(place, fault, "lower it, or take a larger machine")
    if processes > workers:
        named = wish.workers is not None
        bound = f"cluster.workers is {workers}" if named else f"cores here: {workers}"
        remedy = "lower it, or raise cluster.workers" if named else "lower it"
        raise InputError(place, f"{processes} processes a unit, {bound}", remedy)
    if recipe.workers > 1 and wish.engine == "workers":
        raise InputError(
            "cluster.engine",
            f"workers cannot share a unit, recipes.{name}.workers is {recipe.workers}",
            "set it to train or auto",
        )
