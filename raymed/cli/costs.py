"""The table of `raymed models`: what the members' models cost."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.pipeline.models import ModelRow

_MIB = 2**20


def show_models(rows: Sequence[ModelRow], console: Console) -> None:
    """Print a row a member, and what the measured columns mean."""
    table = Table(title_justify="left")
    table.add_column("member", overflow="fold")
    table.add_column("model", overflow="fold")
    for head in ("px", "params", "trained", "GMAC", "images/s", "peak MiB"):
        table.add_column(head, justify="right")
    for row in rows:
        star = "*" if row.work == "features" else ""
        peak = "–" if row.peak_bytes is None else f"{row.peak_bytes / _MIB:,.0f}"
        table.add_row(
            escape(row.member),
            escape(row.model),
            f"{row.cost.size}",
            f"{row.cost.parameters / 1e6:.2f} M",
            f"{row.cost.trainable / 1e6:.2f} M",
            f"{row.cost.gmacs:.2f}",
            f"{row.images_per_second:,.1f}{star}",
            peak,
        )
    console.print(table)
    cuda = any(row.device == "cuda" for row in rows)
    where = "on one GPU" if cuda else "in one process with one thread"
    peak = "the most that torch allocated there" if cuda else "how far its resident memory grew"
    console.print(
        f"px: side of the input; GMAC: billions of multiply-adds of one forward pass; images/s and "
        f"peak: training steps of the last phase, {where}; peak: {peak}",
        highlight=False,
    )
    if any(row.work == "features" for row in rows):
        console.print("* a probe's features, which are computed once", highlight=False)
