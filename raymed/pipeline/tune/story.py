"""`raymed tune`: the recipe of an experiment is varied, on the folds that its members have."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import yaml
from optuna.trial import FrozenTrial

from raymed.config import Experiment, Recipe, Search, searched_recipe
from raymed.config.space_ends import recipes_tried
from raymed.errors import BuildError
from raymed.evaluation import Selection
from raymed.files import write_text
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.held import held
from raymed.pipeline.members import check_episodes, check_recipe
from raymed.pipeline.placement import Placement, placed, refuse_endless
from raymed.pipeline.prepare import Prepared, prepare
from raymed.pipeline.recording import recorded
from raymed.pipeline.tune.at_work import trial_name
from raymed.pipeline.tune.deciding import Deciding
from raymed.pipeline.tune.loggers import open_logs
from raymed.pipeline.tune.opening import enqueue, open_search
from raymed.pipeline.tune.scoring import Scoring
from raymed.pipeline.tune.searching import searched, told
from raymed.pipeline.tune.selection import judge_selection
from raymed.pipeline.tune.tracking import open_tracking
from raymed.pipeline.tune.warm_start import best_points
from raymed.runs import RunFolder
from raymed.search import (
    SharedStudy,
    Space,
    close_storage,
    open_storage,
    space_of,
    suggest,
    write_snapshot,
)
from raymed.stories import result_of


@dataclass(frozen=True)
class Tuned:
    """What a study left behind: its trials, the best of them, its recipe, and what that is worth.

    `selection` is None where the rows of some trials lie in another run folder.
    """

    run: RunFolder
    trials: tuple[FrozenTrial, ...]
    best: FrozenTrial
    recipe: Recipe
    selection: Selection | None = None


def tune(
    experiment: Experiment,
    run: Path | str | None = None,
    *,
    warm_start: Path | str | None = None,
) -> Tuned:
    """Search a recipe of an experiment, in its run folder (default `./runs/<name>`).

    `warm_start` is another run folder, whose study's best trials are tried early. The same call
    again continues. Finished trials are members as `build` makes them. Raises `InputError` for bad
    input and `BuildError` when every trial fails.
    """
    return result_of(tune_events(experiment, run, warm_start=warm_start))


def tune_events(
    experiment: Experiment,
    run: Path | str | None = None,
    *,
    warm_start: Path | str | None = None,
) -> Generator[Event, None, Tuned]:
    """Search, telling what happens; the generator returns `Tuned`."""
    folder = RunFolder.of(experiment, run)
    stages = _stages(experiment, folder, warm_start)
    return (yield from held(folder, recorded(stages, folder, experiment.name)))


def _stages(
    experiment: Experiment, folder: RunFolder, warm_start: Path | str | None
) -> Generator[Event, None, Tuned]:
    """Go through the stages of a search, in a folder that is held."""
    earlier = best_points(warm_start) if warm_start is not None else []
    folder.refuse_other(experiment)
    search = experiment.search or Search()
    name = searched_recipe(search, experiment.recipes)
    recipe = experiment.recipes[name]
    narrow = experiment.model_copy(update={"recipes": {name: recipe}})
    space = space_of(search, recipe)
    placement = yield from placed(narrow, folder)
    refuse_endless(search, placement)
    if search.storage is not None:
        yield Stage("reaching the study's database")
        close_storage(open_storage(search.storage, folder.study_folder))
    tracking = open_tracking(search.mlflow, experiment.name) if search.mlflow else None
    yield Stage("building the model once")
    check_recipe(name, recipe)
    prepared = yield from prepare(experiment, folder, keep=True)
    for tried in recipes_tried(space):
        check_episodes(name, tried, prepared)
    with closing(open_search(experiment, folder, prepared, space)) as study:
        study.heartbeat()
        enqueue(study, space, earlier)
        deciding = _decider(experiment, folder, prepared, study, placement)
        deciding.logs = open_logs(folder, study, space, tracking, deciding.news)
        if len(study.study.directions) == 2:
            yield Note("two objectives: no trial is stopped early")
        yield deciding.tally()
        try:
            yield from searched(deciding, placement, recipe.workers, search.storage)
        finally:
            write_snapshot(study.study, folder.trials_file)
            deciding.logs.close(study.study.get_trials(deepcopy=False), deciding.attempts)
        yield from told(deciding)
        yield Stage("judging the choice")
        return _tuned(experiment, folder, prepared, study, space)


def _decider(
    experiment: Experiment,
    folder: RunFolder,
    prepared: Prepared,
    study: SharedStudy,
    placement: Placement,
) -> Deciding:
    """Make what decides; it begins with the trials that other drivers left."""
    search = experiment.search or Search()
    processes = placement.sharing(experiment.recipes[searched_recipe(search, experiment.recipes)])
    gpus = placement.gpus / placement.workers * processes
    scoring = Scoring(
        experiment, folder, prepared, study, gpus, paired=search.stopped_by == "paired"
    )
    return Deciding(
        experiment,
        folder,
        prepared,
        study,
        placement.device,
        placement.workers // processes,
        scoring,
        waiting=study.adopt(alone=search.storage is None),
    )


def _tuned(
    experiment: Experiment,
    folder: RunFolder,
    prepared: Prepared,
    study: SharedStudy,
    space: Space,
) -> Tuned:
    """Read what a study came to, and write the best recipe down."""
    trials, best = tuple(study.study.get_trials(deepcopy=False)), study.best()
    if best is None:
        raise BuildError(f"no trial of {len(trials)} is complete; logs: {folder.log_folder}")
    recipe = suggest(space, best)
    written = {trial_name(best.number): recipe.model_dump(mode="json")}
    write_text(folder.best_recipe_file, yaml.safe_dump(written))
    selection = judge_selection(experiment, folder, prepared, study, best)
    return Tuned(folder, trials, best, recipe, selection)
