"""What a study looks like in the terminal: where it stands, and the best of its trials."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from raymed.cli.grid import duration
from raymed.pipeline.tally import Standing, Tally


def study_lines(tally: Tally, now: float) -> list[str]:
    """Say where a study stands: the best so far, what became of the trials, time and GPU-hours."""
    lines = [] if tally.best is None else [_best(tally)]
    spared = "1 fold" if tally.spared == 1 else f"{tally.spared} folds"
    of = "" if tally.trials_budget is None else f" of {tally.trials_budget}"
    lines.append(
        f"{tally.ended}{of} trials: {tally.complete} complete, {tally.pruned} stopped early, "
        f"{tally.failed} failed; {spared} spared"
    )
    lines.append(f"{duration(tally.used(now))} used{_rest(tally, now)}")
    if tally.gpu_hours_budget is not None:
        free = max(0.0, tally.gpu_hours_budget - tally.gpu_hours)
        lines.append(f"{tally.gpu_hours:.2f} GPU-hours used, {free:.2f} left")
    return lines


def _rest(tally: Tally, now: float) -> str:
    if tally.ended == tally.trials_budget:
        return ""
    left = tally.left(now)
    return ", time left unknown" if left is None else f", about {duration(left)} left"


def _best(tally: Tally) -> str:
    assert tally.best is not None  # the caller has seen it
    number, score = tally.best
    if tally.recipe is not None and tally.recipe[0] == number:
        return f"best: trial {number}, log loss {score:.4f}, the recipe as it stands"
    gain = "" if tally.gain is None else f", {tally.gain:.4f} below the recipe as it stands"
    return f"best: trial {number}, log loss {score:.4f}{gain}"


def trials_table(leading: Sequence[Standing]) -> Table:
    """Draw the best complete trials with their parameters."""
    names = list(dict.fromkeys(name for trial in leading for name in trial.parameters))
    table = Table(title="best trials: pooled out-of-fold log loss", title_justify="left")
    for head in ("trial", "log loss", *names):
        table.add_column(head, justify="right", overflow="fold")
    for trial in leading:
        values = [_short(trial.parameters.get(name)) for name in names]
        table.add_row(str(trial.number), f"{trial.score:.4f}", *values)
    return table


def _short(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))
