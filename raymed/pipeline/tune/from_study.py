"""`raymed build --from-study`: finished trials are members already; a few good ones are stacked."""

from collections.abc import Generator
from contextlib import closing

import numpy as np
from optuna.trial import TrialState

from raymed.config import Compare, Experiment, Recipe, Search, searched_recipe
from raymed.errors import InputError
from raymed.pipeline.events import Event
from raymed.pipeline.held import held
from raymed.pipeline.prepare import Prepared, prepare
from raymed.pipeline.tune.at_work import finished_folds, trial_member, trial_name
from raymed.pipeline.tune.fold_scores import held_out_rows
from raymed.pipeline.tune.opening import open_search
from raymed.runs import RunFolder
from raymed.search import OofRows, choose_diverse, space_of, suggest
from raymed.stories import result_of


def with_trials(experiment: Experiment, run: RunFolder, count: int) -> Experiment:
    """Put the study's trials, a greedy and diverse choice of `count`, in the recipes' place.

    Nothing of them is trained again: `build` finds their folds complete. Raises `InputError`
    where the folder has no study, or no trial of it is complete.
    """
    prepared = result_of(held(run, _prepared(experiment, run)))
    search = experiment.search or Search()
    space = space_of(search, experiment.recipes[searched_recipe(search, experiment.recipes)])
    recipes: dict[int, Recipe] = {}
    rows: dict[int, OofRows] = {}
    with closing(open_search(experiment, run, prepared, space)) as study:
        complete = study.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for trial in complete:
        recipe = suggest(space, trial)
        found = _rows(experiment, run, prepared, recipe, trial.number)
        if found is not None and recipe not in recipes.values():
            recipes[trial.number], rows[trial.number] = recipe, found
    first = next(iter(rows.values()), None)
    chosen = choose_diverse(
        {number: own.probabilities for number, own in rows.items()},
        np.zeros(0, dtype=np.int64) if first is None else first.labels,
        np.zeros(0, dtype=str) if first is None else first.patients,
        count,
    )
    named = {trial_name(number): recipes[number] for number in chosen}
    evaluate = experiment.evaluate.model_copy(update={"surfaces": None})
    return experiment.model_copy(  # what names a recipe of before goes with the recipes
        update={"recipes": named, "evaluate": evaluate, "compare": Compare(), "search": None}
    )


def _prepared(experiment: Experiment, run: RunFolder) -> Generator[Event, None, Prepared]:
    if not run.study_folder.is_dir():
        raise InputError(run.place, "has no study", "search first: raymed tune")
    run.refuse_other(experiment)
    return (yield from prepare(experiment, run, keep=True))


def _rows(
    experiment: Experiment, run: RunFolder, prepared: Prepared, recipe: Recipe, number: int
) -> OofRows | None:
    """Read a trial's rows; None where its folder was deleted meanwhile."""
    folds = finished_folds(trial_member(experiment, run, prepared, number, recipe), prepared)
    return held_out_rows([*folds.values()]) if len(folds) == prepared.folds.count else None
