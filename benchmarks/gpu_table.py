"""For benchmarks/gpu.py: its figures as Markdown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raymed.files import read_json

Row = dict[str, Any]
HEADS = {
    "data": "A step's parts, each waited for, in ms, and images a second of a whole epoch",
    "packing": "The same eight units, some at once on the one card",
    "memory": "The same two folds with all of the card, and where another program holds most of it",
    "agreement": "The demo built in several ways, one after the other",
    "sweep": "A sweep of three trials",
}


def table(folder: Path) -> str:
    """Write what lies in a folder."""
    lines: list[str] = []
    for name, head in HEADS.items():
        file = folder / f"{name}.json"
        if not file.exists():
            continue
        found = read_json(file)
        where = found["machine"]
        lines += [f"## {head}", "", _machine(where), ""]
        rows = [_flat(row) for row in _with_ratio(found["rows"]) if "failed" not in row]
        lines += [*_lines(rows), ""]
        lines += [f"Failed: {row}" for row in found["rows"] if "failed" in row]
        if "failed" in found:
            lines += ["```", found["failed"], "```", ""]
    return "\n".join(lines)


def _machine(where: Row) -> str:
    tf32 = "in convolutions" if where["tf32_convolutions"] else "nowhere"
    both = "in convolutions and products" if where["tf32_products"] else tf32
    return (
        f"{where['date']}, {where['card']}, {where['cores']} cores, torch {where['torch']}; "
        f"float32 runs as TF32 {both}."
    )


def _with_ratio(rows: list[Row]) -> Iterator[Row]:
    """Hold speeds of packing against one process that takes unit after unit."""
    for row in rows:
        if "images_per_second" in row and "engine" in row:
            alone = (row.get("model"), "workers", 1)
            for one in rows:
                if (one.get("model"), one["engine"], one["workers"]) == alone:
                    row = row | {"over_one": row["images_per_second"] / one["images_per_second"]}
        yield row


def _flat(row: Row) -> dict[str, str]:
    return {name.replace("_", " "): _cell(name, value) for name, value in row.items()}


def _cell(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_cell(name, each) for each in value)
    if name == "peak_bytes":
        return "" if value is None else f"{value / 2**20:.0f} MiB"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def _lines(rows: list[dict[str, str]]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    heads = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return heads + ["| " + " | ".join(row.get(n, "") for n in names) + " |" for row in rows]
