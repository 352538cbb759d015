"""The table of a comparison: each contender's figures, and what it gains over its partner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from raymed.evaluation import Difference, holm, paired_difference, score, to_patient_level
from raymed.pipeline.compare.contenders import Contender
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.scorer import Labels, Patients, Probabilities

METRICS = ("accuracy", "log_loss")
LOWER_IS_BETTER = {"log_loss"}
Split = Literal["oof", "test"]


@dataclass(frozen=True)
class Pooled:
    """Rows of all repeats at the highest level there is.

    A patient has a row, or one for each label, in every repeat; all bear his name, so that
    resampling draws them together.
    """

    probabilities: Probabilities
    labels: Labels
    patients: Patients


def compare_contenders(
    contenders: Sequence[Contender], repeats: Sequence[Repeat]
) -> list[dict[str, Any]]:
    """Make a row of each, JSON-ready; the p-values allow for all gains of the table (Holm)."""
    pooled = [pool(each, repeats, "oof") for each in contenders]
    at = {(each.technique, each.name): own for each, own in zip(contenders, pooled, strict=True)}
    rows = []
    for each, own in zip(contenders, pooled, strict=True):
        rival = at.get((each.technique, each.against)) if each.against is not None else None
        on_test = pool(each, repeats, "test") if each.predicted[0].on_test is not None else None
        rows.append(
            {
                "technique": each.technique,
                "choice": each.name,
                "against": each.against,
                **each.facts,
                "oof": _figures(own, repeats),
                "test": _figures(on_test, repeats) if on_test is not None else None,
                "gain": _gains(own, rival, repeats) if rival is not None else None,
            }
        )
    return _adjusted(rows)


def pool(contender: Contender, repeats: Sequence[Repeat], split: Split) -> Pooled:
    """Put what a contender predicts in every repeat below each other."""
    parts = []
    for predicted, repeat in zip(contender.predicted, repeats, strict=True):
        manifest = repeat.prepared.manifest
        inside = manifest.is_test if split == "test" else repeat.prepared.folds.fold >= 0
        values = predicted.on_test if split == "test" else predicted.oof
        assert values is not None  # the caller asks for the test split where there is one
        part = Pooled(values, manifest.labels[inside], manifest.patients[inside])
        parts.append(_by_patient(part) if manifest.patients_declared else part)
    return Pooled(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.patients for part in parts]),
    )


def _by_patient(rows: Pooled) -> Pooled:
    people = to_patient_level(rows.probabilities, rows.labels, rows.patients)
    return Pooled(people.probabilities, people.labels, people.patients.astype(object))


def _figures(rows: Pooled, repeats: Sequence[Repeat]) -> dict[str, Any]:
    first = repeats[0]
    scored = score(
        rows.probabilities,
        rows.labels,
        rows.patients,
        first.prepared.manifest.classes,
        level="image",
        folds=first.prepared.folds.count,
        draws=first.experiment.evaluate.draws,
        seed=first.experiment.seed,
    )
    return {metric: vars(scored.metrics[metric]) for metric in METRICS}


def _gains(own: Pooled, rival: Pooled, repeats: Sequence[Repeat]) -> dict[str, Any]:
    """Estimate by how much each metric is better than the rival's; positive is better."""

    def gain(metric: str) -> Difference:
        better, worse = (rival, own) if metric in LOWER_IS_BETTER else (own, rival)
        return paired_difference(
            better.probabilities,
            worse.probabilities,
            own.labels,
            own.patients,
            metric,
            draws=repeats[0].experiment.evaluate.draws,
            seed=repeats[0].experiment.seed,
        )

    return {metric: vars(gain(metric)) for metric in METRICS}


def _adjusted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    gains = [row["gain"][metric] for row in rows if row["gain"] for metric in METRICS]
    for gain, p in zip(gains, holm([gain["p"] for gain in gains]), strict=True):
        gain["p_holm"] = p
    return rows
