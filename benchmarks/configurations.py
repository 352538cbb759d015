"""Do the shipped configurations reach what they promise, and hold what every run must?

    uv run python benchmarks/configurations.py    # about 45 minutes on 2 cores

Builds `configs/alzheimer.yaml` and `configs/pneumonia.yaml` and holds their figures against fixed
bars, and against the gates of every real run: the stack is at most .01 in log loss worse than its
best member, what fine-tuning adds to a probe is compared, the leak gap is told where patients are
known, and members no better than the class prior have no weight in the mean. Ends with an error
where one is missed. Writes `configurations.md`; with `--folder` runs stay there and continue.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import raymed
from raymed.config import read_experiment
from raymed.files import read_json
from raymed.pipeline.build import Built, build

TABLE = Path(__file__).with_suffix(".md")
CONFIGS = Path(__file__).resolve().parents[1] / "configs"
WORSE = 0.01  # nats that a stack may lose to its best member


@dataclass(frozen=True)
class Bar:
    """A figure of the stack, and what it must reach at least (of a loss: at most)."""

    split: str
    metric: str
    value: float


@dataclass(frozen=True)
class Check:
    """What was held against what, and whether it held."""

    run: str
    what: str
    found: str
    wanted: str
    held: bool


BARS = {
    "alzheimer": [
        Bar("oof", "log_loss", 0.89),
        Bar("oof", "auroc", 0.76),
        Bar("oof", "binary_auroc", 0.79),
    ],
    "pneumonia": [Bar("test", "auroc", 0.965), Bar("test", "binary_balanced_accuracy", 0.88)],
}


def level_of(built: Built) -> str:
    """Patients where they are known, else images."""
    return "patient" if built.metrics["patients_declared"] else "image"


def rows_of(built: Built, kind: str) -> list[dict[str, Any]]:
    """Give the rows of the summary of one kind."""
    return [row for row in built.metrics["rows"] if row["kind"] == kind]


def chosen(built: Built) -> dict[str, Any]:
    """Give the stack's row."""
    name = built.metrics["chosen"]
    return next(row for row in rows_of(built, "meta-learner") if row["name"] == name)


def figure(row: dict[str, Any], split: str, level: str, metric: str) -> dict[str, Any]:
    """Give one estimate of a row."""
    found: dict[str, Any] = row[split][level]["metrics"][metric]
    return found


def bars(built: Built) -> Iterator[Check]:
    """Hold the stack's figures against the bars of its configuration."""
    for bar in BARS[built.metrics["name"]]:
        found = figure(chosen(built), bar.split, level_of(built), bar.metric)
        loss = bar.metric == "log_loss"
        held = found["value"] <= bar.value if loss else found["value"] >= bar.value
        yield Check(
            built.metrics["name"],
            f"{bar.metric}, {bar.split}, {level_of(built)} level",
            f"{found['value']:.4f} [{found['low']:.3f}, {found['high']:.3f}]",
            f"{'at most' if loss else 'at least'} {bar.value}",
            held,
        )


def gates(built: Built) -> Iterator[Check]:
    """Hold a run against what every run must keep."""
    name, level = built.metrics["name"], level_of(built)
    losses = {
        row["name"]: figure(row, "oof", level, "log_loss")["value"]
        for row in rows_of(built, "member")
    }
    best = min(losses, key=losses.__getitem__)
    worse = figure(chosen(built), "oof", level, "log_loss")["value"] - losses[best]
    yield Check(
        name,
        f"stack against {best}, log loss",
        f"{worse:+.4f}",
        f"at most +{WORSE}",
        worse <= WORSE,
    )
    titles = [each["title"] for each in built.metrics["comparisons"]]
    tuned = [row["name"] for row in rows_of(built, "member") if not row["probe"]]
    told = [member for member in tuned if any(f"'{member}' against probe" in t for t in titles)]
    yield Check(name, "fine-tuned against a probe", ", ".join(told), "every one", told == tuned)
    if built.metrics["patients_declared"]:
        leak = read_json(built.run.audit_file)["leak_sentinel"]
        ways = [] if leak is None else [leak["image_level"], leak["patient_grouped"]]
        words = " by image, ".join(f"{way['accuracy']:.3f}" for way in ways)
        yield Check(name, "leak gap, nearest neighbour", f"{words} by patient", "told", bool(ways))
    mean = next(row for row in rows_of(built, "meta-learner") if row["name"] == "mean")
    useless = [row["name"] for row in rows_of(built, "member") if row["left_out"]]
    silent = [member for member in useless if mean["weights"][member] > 0]
    words = ", ".join(useless) or "none"
    yield Check(name, "left out, no better than the prior", words, "no weight", not silent)


def write_table(checks: list[Check]) -> None:
    """Write what was held against what."""
    cores = len(os.sched_getaffinity(0))
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, {cores} cores, "
        f"{platform.machine()}, no GPU.",
        "",
        "| configuration | what | found | wanted | |",
        "|---|---|---|---|---|",
        *(
            f"| {c.run} | {c.what} | {c.found} | {c.wanted} | {'held' if c.held else 'MISSED'} |"
            for c in checks
        ),
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Build, check, write, and end with an error where something was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, help="keeps the runs; default: a temporary one")
    folder = parser.parse_args().folder
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in BARS:
            experiment = read_experiment(CONFIGS / f"{name}.yaml")
            built = build(experiment, (folder or Path(temporary)) / name)
            checks += [*bars(built), *gates(built)]
    write_table(checks)
    print(TABLE.read_text(encoding="utf-8"))
    sys.exit(0 if all(check.held for check in checks) else 1)


if __name__ == "__main__":
    main()
