"""The study of an experiment, opened, and what it tries first."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from optuna.distributions import distribution_to_json

from raymed.config import SCHEMA_VERSION, Experiment, Search
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.tune.warm_start import Point, within
from raymed.runs import RunFolder
from raymed.search import (
    AS_IT_STANDS,
    LOG_LOSS,
    Budget,
    Halving,
    Identity,
    Range,
    SharedStudy,
    Space,
    distributions_of,
    known_points,
    open_storage,
    open_study,
    suggest,
)

COST = "training_seconds"


def enqueue(study: SharedStudy, space: Space, earlier: Sequence[Point]) -> None:
    """Have the recipe's own point tried first, then what did well elsewhere."""
    own, *known = known_points(space) or (None,)
    if own is not None:
        study.enqueue(dict(own), AS_IT_STANDS)
    for point in earlier:
        if inside := within(space, point):
            study.enqueue(inside, "warm start")
    for point in known:
        study.enqueue(dict(point), "known")


def open_search(
    experiment: Experiment, folder: RunFolder, prepared: Prepared, space: Space
) -> SharedStudy:
    """Open the study of an experiment: a journal in the run folder, or a database."""
    search = experiment.search or Search()
    asked = search.halving
    folder.study_folder.mkdir(parents=True, exist_ok=True)
    objectives = dict(LOG_LOSS)
    if search.objectives == "score_and_cost":
        objectives[COST] = "minimize"
    return open_study(
        open_storage(search.storage, folder.study_folder),
        folder.study_folder,
        experiment.name,
        Identity.of(
            prepared.manifest.content,
            prepared.folds.content,
            experiment.seed,
            SCHEMA_VERSION,
            _identity(space),
        ),
        partial(suggest, space),
        folds=prepared.folds.count,
        objectives=objectives,
        budget=Budget(search.trials, search.hours, search.gpu_hours),
        sampler=search.sampler,
        pruner=search.stopped_by,
        halving=None if asked is None else Halving(asked.first, asked.factor),
        plain=not space.conditional and all(isinstance(leaf, Range) for leaf in space.leaves),
    )


def _identity(space: Space) -> list[Any]:
    found = distributions_of(space).items()
    leaves = {name: distribution_to_json(distribution) for name, distribution in found}
    return [space.recipe.meaning(), leaves]
