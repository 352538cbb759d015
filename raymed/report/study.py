"""The study of `raymed tune` in the report: what was tried, stopped, and what that is worth."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
import plotly.graph_objects as go
from optuna import visualization
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from raymed.evaluation import Selection
from raymed.report.figures import PageFigure, page_figure
from raymed.report.selection import read_selection
from raymed.runs import RunFolder
from raymed.search import EpochCurve, epoch_curves, read_snapshot

SHOWN = 10
FEWEST = 4  # complete trials, for importances to mean anything


@dataclass(frozen=True)
class StudyMaterial:
    """A study that has complete trials, its best recipe as YAML, and what that choice is worth."""

    study: optuna.Study
    folds: int
    best_yaml: str
    selection: Selection | None = None

    @property
    def trials(self) -> Sequence[FrozenTrial]:
        """All trials that have begun."""
        return self.study.get_trials(deepcopy=False)

    def of(self, state: str) -> list[FrozenTrial]:
        """Give the trials in one state: COMPLETE, PRUNED or FAIL."""
        return [trial for trial in self.trials if trial.state == TrialState[state]]

    @property
    def best(self) -> list[FrozenTrial]:
        """The best complete trials, the best first."""
        return sorted(self.of("COMPLETE"), key=lambda trial: trial.values[0])[:SHOWN]

    @property
    def parameters(self) -> list[str]:
        """What was varied, in the order in which it was first tried."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.params))

    @property
    def saved(self) -> float:
        """The share of all folds of complete and pruned trials that pruning did not train.

        A fold that was stopped counts by its epochs.
        """
        ended = [*self.of("COMPLETE"), *self.of("PRUNED")]
        run = sum(len(trial.intermediate_values) for trial in ended)
        parts = sum(len(curve.values) / curve.of for curve in self._stopped_within)
        return 1 - (run + parts) / (self.folds * len(ended))

    @property
    def halved(self) -> bool:
        """Whether some trial was stopped within a fold."""
        return bool(self._stopped_within)

    @property
    def _stopped_within(self) -> list[EpochCurve]:
        return [
            curve
            for trial in self.of("PRUNED")
            for fold, curve in epoch_curves(trial).items()
            if fold not in trial.intermediate_values
        ]


def read_study(run: RunFolder, folds: int) -> StudyMaterial | None:
    """Read a run's study; None where there is none with a complete trial."""
    study = read_snapshot(run.trials_file)
    best = run.best_recipe_file
    if study is None or not best.is_file():
        return None
    material = StudyMaterial(study, folds, best.read_text(encoding="utf-8"))
    complete = [trial.number for trial in material.of("COMPLETE")]
    return replace(material, selection=read_selection(run, complete)) if complete else None


@dataclass(frozen=True)
class _Plot:
    """One of Optuna's own plots: what it is called here, and how it is drawn."""

    key: str
    title: str
    caption: str
    height: int
    draw: Callable[[optuna.Study], go.Figure]
    objectives: tuple[int, ...] = (1, 2)
    wide: bool = False


def study_figures(material: StudyMaterial | None) -> dict[bool, list[PageFigure]]:
    """Draw Optuna's own plots of a study, by whether they take the whole width."""
    if material is None:
        return {}
    count = len(material.study.directions)
    plots = [plot for plot in _PLOTS if count in plot.objectives]
    if not _may_rank(material):
        plots = [plot for plot in plots if plot.key != "importance"]
    return {
        wide: [_drawn(material, plot) for plot in plots if plot.wide == wide]
        for wide in (False, True)
    }


def _drawn(material: StudyMaterial, plot: _Plot) -> PageFigure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message="PedAnova.* low `target` values")  # as is wanted
        figure = plot.draw(material.study)
    figure.update_layout(title=None, width=None)  # a slice plot would be 300 px a parameter
    best = material.best[0]
    words = (
        f"{plot.title}: {len(material.of('COMPLETE'))} complete trials of {len(material.trials)}; "
        f"the best is trial {best.number} with {best.values[0]:.3f}."
    )
    key = f"study-{plot.key}"
    return page_figure(key, plot.title, words, figure, plot.height, plot.caption)


def _may_rank(material: StudyMaterial) -> bool:
    """Tell whether the trials differ enough for importances."""
    complete = material.of("COMPLETE")
    values = {trial.values[0] for trial in complete}
    shared = set.intersection(*(set(trial.params) for trial in complete))
    return len(complete) >= FEWEST and len(values) > 1 and bool(shared)


def _score(study: optuna.Study) -> dict[str, Any]:
    """Say what is plotted: of two objectives the score."""
    several = len(study.directions) > 1
    target = (lambda trial: float(trial.values[0])) if several else None
    return {"target": target, "target_name": "log loss"}


def _hypervolume(study: optuna.Study) -> go.Figure:
    values = np.array([trial.values for trial in study.get_trials(states=(TrialState.COMPLETE,))])
    return visualization.plot_hypervolume_history(study, list(1.1 * values.max(axis=0)))


_PLOTS = (
    _Plot(
        "history",
        "Log loss by trial, lower is better",
        "Every complete trial in its order; of one objective also the best so far.",
        300,
        lambda study: visualization.plot_optimization_history(study, **_score(study)),
    ),
    _Plot(
        "importance",
        "What mattered",
        "How much each parameter tells the best tenth of trials from the others (PED-ANOVA, "
        "Watanabe et al. 2023): a share, among these trials.",
        260,
        lambda study: visualization.plot_param_importances(study, **_score(study)),
    ),
    _Plot(
        "pareto",
        "Score against cost",
        "The trials that no other beats in both are marked.",
        300,
        lambda study: visualization.plot_pareto_front(
            study, target_names=["log loss", "seconds of training"]
        ),
        objectives=(2,),
    ),
    _Plot(
        "hypervolume",
        "Hypervolume by trial, higher is better",
        "What the trials so far dominate, up to a tenth beyond the worst of each objective.",
        260,
        _hypervolume,
        objectives=(2,),
    ),
    _Plot(
        "timeline",
        "When trials ran",
        "A bar a trial, coloured by how it ended.",
        300,
        lambda study: visualization.plot_timeline(study),
    ),
    _Plot(
        "slice",
        "Log loss by each parameter",
        "Every complete trial at the value that it had; darker: later.",
        320,
        lambda study: visualization.plot_slice(study, **_score(study)),
        wide=True,
    ),
    _Plot(
        "parallel",
        "Parameters together",
        "A line a trial, darker where its log loss is lower.",
        340,
        lambda study: visualization.plot_parallel_coordinate(study, **_score(study)),
        wide=True,
    ),
)
