"""`raymed tune` in the terminal."""

from pathlib import Path

from rich.console import Console

from raymed.cli.display import follow_until_stopped
from raymed.cli.trials import show_outcome
from raymed.config import Experiment
from raymed.pipeline.tune import tune_events


def show_search(experiment: Experiment, run: Path | None, warm_start: Path | None) -> None:
    """Search, showing progress, then the best trials."""
    console = Console()
    tuned = follow_until_stopped(tune_events(experiment, run, warm_start=warm_start), console)
    show_outcome(console, tuned)
