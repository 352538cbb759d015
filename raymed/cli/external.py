"""What `raymed evaluate` prints: figures on an external test set, and what stands against them."""

from collections.abc import Generator

from rich.console import Console
from rich.markup import escape

from raymed.cli.display import follow_until_stopped, scores_table
from raymed.pipeline.evaluate import Evaluated
from raymed.pipeline.events import Event


def show_evaluation(events: Generator[Event, None, Evaluated]) -> None:
    """Evaluate, showing progress, then the figures, their doubts and the path of the report."""
    console = Console()
    evaluated = follow_until_stopped(events, console)
    metrics = evaluated.metrics
    level = "patient" if metrics["patients_declared"] else "image"
    title = f"{metrics['name']}: {level} level, 95 % interval by {level}"
    scores = [row["scores"][level] for row in metrics["rows"]]
    console.print(scores_table(title, metrics, scores))
    console.print("* the stack that predicts; nothing was fitted or chosen on this set")
    for doubt in metrics["doubts"]:
        console.print(f"[yellow]{escape(doubt)}[/]", soft_wrap=True)
    for what, path in (("results", evaluated.folder), ("report", evaluated.run.report_file)):
        console.print(f"{what}: {path}", soft_wrap=True, highlight=False)
