"""A study counted, for those who watch it."""

from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState

from raymed.pipeline.tally import Standing, Tally
from raymed.search import SharedStudy, drivers, fold_seconds, fold_values, is_as_it_stands

LEADING = 5


def tally_of(study: SharedStudy, at_once: int, gpus: float) -> Tally:
    """Count a study's trials and costs; so many trials run at once, on `gpus` each."""
    trials = study.study.get_trials(deepcopy=False)
    of: dict[TrialState, list[FrozenTrial]] = {state: [] for state in TrialState}
    for trial in trials:
        of[trial.state].append(trial)
    complete, running = of[TrialState.COMPLETE], of[TrialState.RUNNING]
    spent, budget, best = study.spent(), study.budget, study.best()
    now = study.clock()
    _, told = drivers(study.study).get(study.driver, (now, now))
    recipe = next((trial for trial in complete if is_as_it_stands(trial)), None)
    return Tally(
        now,
        complete=len(complete),
        pruned=len(of[TrialState.PRUNED]),
        failed=len(of[TrialState.FAIL]),
        running=len(running),
        spared=sum(study.folds - len(fold_values(trial)) for trial in of[TrialState.PRUNED]),
        best=None if best is None else (best.number, float(best.values[0])),
        recipe=None if recipe is None else (recipe.number, float(recipe.values[0])),
        leading=leading(complete),
        hours=spent.hours + max(0.0, now - told) / 3600,  # nobody has told of these yet
        gpu_hours=spent.gpu_hours,
        trained=sum(map(_seconds, (each for each in trials if each.state.is_finished()))),
        under_way=sum(map(_seconds, running)),
        at_once=at_once,
        gpus=gpus,
        trials_budget=budget.trials,
        hours_budget=budget.hours,
        gpu_hours_budget=budget.gpu_hours,
    )


def leading(trials: Iterable[FrozenTrial]) -> tuple[Standing, ...]:
    """Give the best complete trials, by the first objective, the best one first."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(complete, key=lambda trial: trial.values[0])[:LEADING]
    return tuple(Standing(each.number, float(each.values[0]), dict(each.params)) for each in best)


def _seconds(trial: FrozenTrial) -> float:
    return sum(fold_seconds(trial).values())
