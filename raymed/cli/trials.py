"""What a study looks like in the terminal: a line a trial, then the best of them."""

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.cli.grid import duration
from raymed.evaluation import Selection
from raymed.pipeline.events import TrialEnded
from raymed.pipeline.tally import Tally
from raymed.pipeline.tune import Tuned
from raymed.report.selection import selection_words

SHOWN = 5
FLATTERS = (
    "chosen on the folds that score it: the best trial's figure flatters it; a test split, or "
    "other data, does not"
)
OTHER_DATA = "a test split, or other data, would tell without any choice"


def trial_line(event: TrialEnded, tally: Tally | None = None, now: float = 0) -> str:
    """Say how a trial ended, which is the best so far, and how long the rest takes if known."""
    best = "" if event.best is None else f"; best {event.best[1]:.4f}, trial {event.best[0]}"
    left = None if tally is None else tally.left(now)
    best += f"; about {duration(left)} left" if left else ""
    if event.state == "complete" and event.value is not None:
        return f"[green]trial {event.number}[/]: log loss {event.value:.4f}{best}"
    if event.state == "pruned":
        if event.within is not None:
            where = "in fold {} after epoch {}".format(*event.within)
        else:
            where = "after 1 fold" if event.folds == 1 else f"after {event.folds} folds"
        return f"[dim]trial {event.number}[/]: stopped {where}{best}"
    return f"[red]trial {event.number} failed:[/] {escape(event.reason)}"


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


def trials_table(trials: tuple[FrozenTrial, ...]) -> Table:
    """Draw the best complete trials with their parameters."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(complete, key=lambda trial: trial.values[0])[:SHOWN]
    names = list(dict.fromkeys(name for trial in best for name in trial.params))
    table = Table(title="best trials: pooled out-of-fold log loss", title_justify="left")
    for head in ("trial", "log loss", *names):
        table.add_column(head, justify="right", overflow="fold")
    for trial in best:
        values = [_short(trial.params.get(name)) for name in names]
        table.add_row(str(trial.number), f"{trial.values[0]:.4f}", *values)
    return table


def _short(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))


def show_outcome(console: Console, tuned: Tuned) -> None:
    """Print the best trials, what became of the others, what the best is worth, what to do next."""
    console.print(trials_table(tuned.trials))
    counts = {
        word: sum(trial.state == state for trial in tuned.trials)
        for word, state in (
            ("complete", TrialState.COMPLETE),
            ("stopped early", TrialState.PRUNED),
            ("failed", TrialState.FAIL),
        )
    }
    console.print(", ".join(f"{count} {word}" for word, count in counts.items()))
    for words in outcome_words(tuned.selection):
        console.print(words, highlight=False)
    console.print(f"best recipe: {tuned.run.best_recipe_file}", soft_wrap=True, highlight=False)


def outcome_words(selection: Selection | None) -> list[str]:
    """Say what the best trial is worth, as far as that is known."""
    if selection is None:
        return [FLATTERS]
    words = selection_words(selection)
    return words if selection.test is not None else [*words, OTHER_DATA]
