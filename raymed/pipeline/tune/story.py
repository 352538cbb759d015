"""`raymed tune`: the recipe of an experiment is varied, on the folds that its members have."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import yaml
from optuna.trial import FrozenTrial

from raymed.cluster import Reported, sweep
from raymed.cluster.session import count_nodes, embedded_ray
from raymed.config import Experiment, Recipe, Search, searched_recipe
from raymed.errors import BuildError, InputError
from raymed.files import write_text
from raymed.pipeline.events import Event, Note, Stage, Training, result_of
from raymed.pipeline.members import check_recipe
from raymed.pipeline.placement import Placement, place, refuse_endless
from raymed.pipeline.prepare import prepare
from raymed.pipeline.recording import recorded
from raymed.pipeline.tune.at_work import trial_name
from raymed.pipeline.tune.deciding import Deciding, told
from raymed.pipeline.tune.logs import LogError, Logger, Logs
from raymed.pipeline.tune.mlflow import MlflowRuns
from raymed.pipeline.tune.opening import open_search
from raymed.pipeline.tune.scoring import Scoring
from raymed.pipeline.tune.tensorboard import TensorBoard
from raymed.pipeline.tune.tracking import Tracking, open_tracking
from raymed.pipeline.tune.warm_start import Point, best_points, within
from raymed.runs import RunFolder
from raymed.search import (
    SharedStudy,
    Space,
    close_storage,
    distributions_of,
    known_points,
    open_storage,
    refuse_for_nodes,
    space_of,
    suggest,
    write_snapshot,
)

HEARTBEAT_SECONDS = 30


@dataclass(frozen=True)
class Tuned:
    """What a study left behind: its trials, the best of them and its recipe."""

    run: RunFolder
    trials: tuple[FrozenTrial, ...]
    best: FrozenTrial
    recipe: Recipe


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
    refuse_endless(search, placement)
    if search.storage is not None:
        yield Stage("reaching the study's database")
        close_storage(open_storage(search.storage, folder.study_folder))
    tracking = open_tracking(search.mlflow, experiment.name) if search.mlflow else None
    yield Stage("building the model once")
    check_recipe(name, recipe)
    prepared = yield from prepare(experiment, folder, keep=True)
    with closing(open_search(experiment, folder, prepared, space)) as study:
        study.heartbeat()
        _enqueue(study, space, earlier)
        deciding = Deciding(
            experiment,
            folder,
            prepared,
            study,
            placement.device,
            placement.workers // recipe.workers,
            Scoring(
                experiment,
                folder,
                prepared,
                study,
                placement.gpus / placement.workers * recipe.workers,
                paired=search.pruner == "paired",
            ),
            waiting=study.adopt(alone=search.storage is None),
        )
        deciding.logs = _logs(deciding, space, tracking)
        if len(study.study.directions) == 2:
            yield Note("two objectives: no trial is stopped early")
        try:
            yield from _searched(deciding, placement, recipe.workers, search.storage)
        finally:
            write_snapshot(study.study, folder.trials_file)
            deciding.logs.close(study.study.get_trials(deepcopy=False), deciding.attempts)
        yield from told(deciding.news)
        return _tuned(folder, study, space)


def _logs(deciding: Deciding, space: Space, tracking: Tracking | None) -> Logs:
    """Give what a sweep writes for other tools; raises `InputError` where they do not answer."""
    board = TensorBoard(deciding.run.tensorboard_folder, distributions_of(space))
    loggers: list[Logger] = [board]
    if tracking is not None:
        loggers.append(MlflowRuns(tracking, deciding.study.token))
    for logger in loggers:
        try:
            logger.look()
        except LogError as error:
            raise InputError("search", str(error)) from None
    return Logs(loggers, deciding.news)


def _tuned(folder: RunFolder, study: SharedStudy, space: Space) -> Tuned:
    """Read what a study came to, and write the best recipe down."""
    trials, best = tuple(study.study.get_trials(deepcopy=False)), study.best()
    if best is None:
        raise BuildError(f"no trial of {len(trials)} is complete; logs: {folder.log_folder}")
    recipe = suggest(space, best)
    written = {trial_name(best.number): recipe.model_dump(mode="json")}
    write_text(folder.best_recipe_file, yaml.safe_dump(written))
    return Tuned(folder, trials, best, recipe)


def _enqueue(study: SharedStudy, space: Space, earlier: Sequence[Point]) -> None:
    """Have the recipe's own point tried first, then what did well elsewhere."""
    own, *known = known_points(space) or (None,)
    if own is not None:
        study.enqueue(dict(own), "recipe")
    for point in earlier:
        if inside := within(space, point):
            study.enqueue(inside, "warm start")
    for point in known:
        study.enqueue(dict(point), "known")


def _searched(
    deciding: Deciding, placement: Placement, processes: int, storage: str | None
) -> Iterator[Event]:
    """Run trials until the budget is spent; what is left unfinished is given back."""
    study, run = deciding.study, deciding.run
    ended = sum(each.state.is_finished() for each in study.study.get_trials(deepcopy=False))
    if study.budget.exhausted(study.spent()) is not None and not deciding.waiting:
        return
    yield Stage("searching", ended, study.budget.trials)
    what = "workers" if processes == 1 else f"processes of Ray Train, {processes} a trial,"
    yield Note(f"starting {placement.workers} {what} on {placement.device}")
    share = placement.gpus / placement.workers
    beat = time.monotonic()
    try:
        with embedded_ray(placement.workers, placement.gpus, run.log_folder) as scratch:
            refuse_for_nodes(storage, count_nodes())
            by_epoch = study.halving is not None
            for said in sweep(
                deciding, placement.workers, share, processes, scratch, by_epoch=by_epoch
            ):
                yield from told(deciding.news)
                if isinstance(said, Reported) and _is_planned(deciding, said.unit.member):
                    yield Training(said.unit.member, said.unit.part, said.progress)
                if time.monotonic() - beat > HEARTBEAT_SECONDS:
                    study.heartbeat()
                    beat = time.monotonic()
            yield from told(deciding.news)
    finally:
        deciding.release()


def _is_planned(deciding: Deciding, member: str) -> bool:
    return any(work.member.name == member for work in list(deciding.at_work.values()))
