"""What `sweep.py` measures against: random search, and Ray Tune's OptunaSearch with ASHA.

Both train on the very folds that `raymed tune` trains on, through the same units, so that a fold of
a recipe is the same bits whoever asked for it. Folds that lie in the run folder count as trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import ray.tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from scipy.special import softmax

from raymed.cluster.embedded import embedded_ray
from raymed.cluster.session import environment
from raymed.config import Experiment, Recipe, Search
from raymed.evaluation import to_patient_level
from raymed.pipeline.members import Member, Scheme, finish_member, member_identity, member_table
from raymed.pipeline.placement import place
from raymed.pipeline.prepare import Prepared, prepare
from raymed.pipeline.training import train_members
from raymed.pipeline.tune.fold_scores import held_out_rows, log_loss_of
from raymed.pipeline.units import fold_units
from raymed.runs import RunFolder
from raymed.search import Space, distributions_of, known_points, recipe_at, space_of, suggest
from raymed.stories import result_of

Losses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bench:
    """An experiment whose data are prepared, and the space of its recipe."""

    experiment: Experiment
    run: RunFolder
    prepared: Prepared
    recipe: Recipe

    @classmethod
    def of(cls, experiment: Experiment, run: Path) -> "Bench":
        """Prepare an experiment of one recipe."""
        folder = RunFolder.at(run)
        with folder.lock():
            prepared = result_of(prepare(experiment, folder, keep=True))
        (recipe,) = experiment.recipes.values()
        return cls(experiment, folder, prepared, recipe)

    @property
    def space(self) -> Space:
        """The usual space."""
        return space_of(self.experiment.search or Search(), self.recipe)

    def member(self, recipe: Recipe) -> Member:
        """Give a recipe its place in the run folder."""
        identity = member_identity(self.experiment, recipe, self.prepared)
        return Member(identity, recipe, self.run.member(identity))

    def train(self, recipes: Sequence[Recipe]) -> list[Member]:
        """Train what is left of the recipes' folds, side by side; those that did not fail."""
        members = list({each.id: each for each in map(self.member, recipes)}.values())
        scheme = Scheme(self.run, self.prepared, members)
        placement = place(self.experiment)
        with self.run.lock():
            failed = result_of(train_members(self.experiment, self.run, [scheme], placement))
            return scheme.finished(failed)

    def fold_value(self, member: Member, fold: int) -> float:
        """Give a finished fold's own log loss, of patients where they are known."""
        attempt = member.folder.completed_fold(fold)
        assert attempt is not None
        by_patient = self.prepared.manifest.patients_declared
        return log_loss_of(held_out_rows([attempt]), by_patient=by_patient)


def losses(member: Member, split: str) -> Losses:
    """Give the log loss of each patient [patients] of a split, `oof` or `test`, sorted by name.

    The test split's probabilities are the means over the fold models.
    """
    table = member_table(member, split).to_pandas()
    logits = np.stack(table["logits"].to_list()).astype(np.float64)
    table["probabilities"] = list(softmax(logits, axis=1))
    by_sample = table.groupby("sample_id", sort=True)
    people = to_patient_level(
        np.stack(by_sample["probabilities"].apply(lambda own: np.mean(np.stack(own), axis=0))),
        by_sample["label"].first().to_numpy().astype(np.int64),
        by_sample["patient"].first().astype(str).tolist(),
    )
    truth = people.probabilities[np.arange(len(people.labels)), people.labels]
    return np.asarray(-np.log(np.clip(truth, 1e-15, 1.0)))


def random_search(bench: Bench, folds: int) -> Recipe:
    """Train the recipe and random ones, whole, for `folds` folds at most; the best out of fold."""
    count = folds // bench.prepared.folds.count
    seed = bench.experiment.seed
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    recipes = [bench.recipe, *(suggest(bench.space, study.ask()) for _ in range(count - 1))]
    members = bench.train(recipes)
    return min(members, key=lambda member: float(losses(member, "oof").mean())).recipe


def stock_search(bench: Bench, folds: int) -> Recipe:
    """Let OptunaSearch and ASHA have `folds` folds; what Tune calls its best result.

    Workers are reused, which is not Tune's default: it saves each trial their imports.
    """
    placement = place(bench.experiment)
    own = known_points(bench.space)[0]
    spent = _Spent(folds)
    logs = bench.run.log_folder
    with (
        bench.run.lock(),
        environment({"RAY_AIR_NEW_OUTPUT": "0"}),  # which prints whatever verbose says
        embedded_ray(placement.workers, 0, logs) as scratch,
    ):
        results = ray.tune.Tuner(
            ray.tune.with_resources(partial(_folds, bench=bench), {"CPU": 1}),
            tune_config=ray.tune.TuneConfig(
                metric="log_loss",
                mode="min",
                num_samples=-1,
                search_alg=OptunaSearch(
                    space=distributions_of(bench.space),
                    points_to_evaluate=[dict(own)],
                    seed=bench.experiment.seed,
                    metric="log_loss",
                    mode="min",
                ),
                scheduler=ASHAScheduler(max_t=bench.prepared.folds.count, grace_period=1),
                reuse_actors=True,
            ),
            run_config=ray.tune.RunConfig(storage_path=str(scratch), stop=spent, verbose=0),
        ).fit()
    return recipe_at(bench.space, results.get_best_result().config)


class _Spent(ray.tune.Stopper):  # type: ignore[misc]
    """Ends Tune when so many folds are trained."""

    def __init__(self, folds: int) -> None:
        self._left = folds

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        self._left -= 1
        return False

    def stop_all(self) -> bool:
        return self._left <= 0


def _folds(config: dict[str, Any], bench: Bench) -> None:
    """Train a trial fold by fold in a worker of Tune's, and report the mean so far."""
    import torch

    torch.set_num_threads(1)
    member = bench.member(recipe_at(bench.space, config))
    count = bench.prepared.folds.count
    left = fold_units(bench.experiment, bench.run, [member], bench.prepared, "cpu")
    units = {unit.fold: unit for unit in left}
    values: list[float] = []
    for fold in range(count):
        if fold in units:
            trained = result_of(units[fold].work())
            member.folder.finish_fold(fold, trained.attempt, **trained.facts)
        values.append(bench.fold_value(member, fold))
        ray.tune.report({"log_loss": float(np.mean(values))})


def scored(bench: Bench, recipe: Recipe) -> dict[str, list[float]]:
    """Finish a recipe's folds, and give its losses by patient of both splits."""
    (member,) = bench.train([recipe])
    assert finish_member(member, bench.prepared.folds.count)
    return {split: losses(member, split).tolist() for split in ("oof", "test")}
