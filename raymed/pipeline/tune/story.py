"""`raymed tune`: the recipe of an experiment is varied, on the folds that its members have."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import yaml
from optuna.trial import FrozenTrial

from raymed.cluster import Reported, sweep
from raymed.cluster.session import embedded_ray
from raymed.config import Experiment, Recipe, Search, searched_recipe
from raymed.errors import BuildError
from raymed.evaluation import Selection
from raymed.files import write_text
from raymed.pipeline.events import Event, Note, Stage, Training, result_of
from raymed.pipeline.members import check_recipe
from raymed.pipeline.placement import Placement, place
from raymed.pipeline.prepare import Prepared, prepare
from raymed.pipeline.recording import recorded
from raymed.pipeline.tune.at_work import trial_name
from raymed.pipeline.tune.deciding import Deciding
from raymed.pipeline.tune.opening import enqueue, open_search
from raymed.pipeline.tune.selection import judge_selection
from raymed.pipeline.tune.warm_start import Point, best_points
from raymed.runs import RunFolder
from raymed.search import SharedStudy, Space, space_of, suggest, write_snapshot

HEARTBEAT_SECONDS = 30


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
    folder = RunFolder.at(run if run is not None else Path("runs") / experiment.name)
    with folder.lock():
        earlier = best_points(warm_start) if warm_start is not None else []
        stages = _stages(experiment, folder, earlier)
        return (yield from recorded(stages, folder, experiment.name))


def _stages(
    experiment: Experiment, folder: RunFolder, earlier: Sequence[Point]
) -> Generator[Event, None, Tuned]:
    """Go through the stages of a search, in a folder that is held."""
    folder.refuse_other(experiment)
    search = experiment.search or Search()
    name = searched_recipe(search, experiment.recipes)
    recipe = experiment.recipes[name]
    narrow = experiment.model_copy(update={"recipes": {name: recipe}})
    placement, space = place(narrow), space_of(search, recipe)
    yield Stage("building the model once")
    check_recipe(name, recipe)
    prepared = yield from prepare(experiment, folder, keep=True)
    with closing(open_search(experiment, folder, prepared, space)) as study:
        study.heartbeat()
        enqueue(study, space, earlier)
        deciding = Deciding(
            experiment,
            folder,
            prepared,
            study,
            placement.device,
            placement.workers,
            placement.gpus / placement.workers * recipe.workers,
            max(1, placement.workers // recipe.workers),
            paired=search.pruner == "paired",
            waiting=study.adopt(alone=search.storage is None),
        )
        if len(study.study.directions) == 2:
            yield Note("two objectives: no trial is stopped early")
        try:
            yield from _searched(deciding, placement, recipe.workers)
        finally:
            write_snapshot(study.study, folder.trials_file)
        yield Stage("judging the choice")
        return _tuned(experiment, folder, prepared, study, space)


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


def _searched(deciding: Deciding, placement: Placement, processes: int) -> Iterator[Event]:
    """Run trials until the budget is spent; what is left unfinished is given back."""
    study, run = deciding.study, deciding.run
    ended = sum(each.state.is_finished() for each in study.study.get_trials(deepcopy=False))
    if study.budget.exhausted(study.spent()) is not None and not deciding.waiting:
        return
    yield Stage("searching", ended, study.budget.trials)
    yield Note(f"starting {placement.workers} workers on {placement.device}")
    share = placement.gpus / placement.workers
    beat = time.monotonic()
    try:
        with embedded_ray(placement.workers, placement.gpus, run.log_folder) as scratch:
            for said in sweep(deciding, placement.workers, share, processes, scratch):
                yield from _told(deciding)
                if isinstance(said, Reported) and _is_planned(deciding, said.unit.member):
                    yield Training(said.unit.member, said.unit.part, said.progress)
                if time.monotonic() - beat > HEARTBEAT_SECONDS:
                    study.heartbeat()
                    beat = time.monotonic()
            yield from _told(deciding)
    finally:
        deciding.release()


def _told(deciding: Deciding) -> Iterator[Event]:
    """Give what there is to tell by now."""
    while not deciding.news.empty():
        yield deciding.news.get()


def _is_planned(deciding: Deciding, member: str) -> bool:
    return any(work.member.name == member for work in list(deciding.at_work.values()))
