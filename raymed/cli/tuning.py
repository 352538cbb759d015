"""`raymed tune` in the terminal."""

from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console

from raymed.cli.display import follow_until_stopped
from raymed.cli.study import trials_table
from raymed.config import Experiment
from raymed.evaluation import Selection
from raymed.pipeline.tune import Tuned, tune_events
from raymed.pipeline.tune.tallying import leading
from raymed.report.selection import selection_words

FLATTERS = (
    "chosen on the folds that score it: the best trial's figure flatters it; a test split, or "
    "other data, does not"
)
OTHER_DATA = "a test split, or other data, would tell without any choice"


def show_search(
    experiment: Experiment, run: Path | str | None, warm_start: Path | str | None
) -> None:
    """Search, showing progress, then the best trials."""
    console = Console()
    tuned = follow_until_stopped(tune_events(experiment, run, warm_start=warm_start), console)
    show_outcome(console, tuned)


def show_outcome(console: Console, tuned: Tuned) -> None:
    """Print the best trials, what became of the others, what the best is worth, what to do next."""
    console.print(trials_table(leading(tuned.trials)))
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
