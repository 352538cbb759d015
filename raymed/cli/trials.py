"""What a study looks like in the terminal: a line a trial, then the best of them."""

from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.pipeline.events import TrialEnded

SHOWN = 5


def trial_line(event: TrialEnded) -> str:
    """Say how a trial ended, and which is the best so far."""
    best = "" if event.best is None else f"; best {event.best[1]:.4f}, trial {event.best[0]}"
    if event.state == "complete" and event.value is not None:
        return f"[green]trial {event.number}[/]: log loss {event.value:.4f}{best}"
    if event.state == "pruned":
        if event.within is not None:
            where = "in fold {} after epoch {}".format(*event.within)
        else:
            where = "after 1 fold" if event.folds == 1 else f"after {event.folds} folds"
        return f"[dim]trial {event.number}[/]: stopped {where}{best}"
    return f"[red]trial {event.number} failed:[/] {escape(event.reason)}"


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


def show_outcome(console: Console, trials: tuple[FrozenTrial, ...], best_file: Path) -> None:
    """Print the best trials, what became of the others, and what to do next."""
    console.print(trials_table(trials))
    counts = {
        word: sum(trial.state == state for trial in trials)
        for word, state in (
            ("complete", TrialState.COMPLETE),
            ("stopped early", TrialState.PRUNED),
            ("failed", TrialState.FAIL),
        )
    }
    console.print(", ".join(f"{count} {word}" for word, count in counts.items()))
    console.print(
        "chosen on the folds that score it: the best trial's figure flatters it; a test split, or "
        "other data, does not"
    )
    console.print(f"best recipe: {best_file}", soft_wrap=True, highlight=False)
