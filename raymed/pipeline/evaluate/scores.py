"""The figures of an external test set: class prior, members and stack as they were fitted."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from raymed.data import Manifest
from raymed.ensemble import Stack, member_probabilities
from raymed.errors import InputError
from raymed.evaluation import class_prior
from raymed.pipeline.analysis import Leveled, score_coverage
from raymed.pipeline.evaluate.predictions import Predicted
from raymed.pipeline.scorer import ByLevel, Scorer, alike, thresholds_of

PRIOR = "class prior"
Row = Mapping[str, Any]
Rows = Mapping[tuple[str, str], Row]
"""Rows of a run's own metrics, by kind and name."""


def rows_of(metrics: Mapping[str, Any], stack: Stack) -> Rows:
    """Take the rows of the class prior, of the stack's members and of the stack, in this order.

    Raises `InputError` where the metrics are of another stack.
    """
    rows = {(row["kind"], row["name"]): row for row in metrics["rows"]}
    members = [("member", name) for name in stack.members.values()]
    wanted = [("prior", PRIOR), *members, ("meta-learner", stack.meta_learner.kind)]
    if metrics["chosen"] != stack.meta_learner.kind or not set(wanted) <= set(rows):
        raise InputError("metrics.json", "is not of the stack beside it", "run raymed build again")
    return {key: rows[key] for key in wanted}


def score_external(
    scorer: Scorer,
    stack: Stack,
    trained_on: Manifest,
    rows: Rows,
    predicted: Predicted,
) -> dict[str, Any]:
    """Score an external test set, JSON-ready; nothing is fitted or chosen on it.

    `scorer` is over its manifest; `rows` (see `rows_of`) hold the thresholds that were chosen out
    of fold, the stack the sets that were calibrated there.
    """
    manifest, train = scorer.prepared.manifest, ~trained_on.is_test
    labels, patients = trained_on.labels[train], trained_on.patients[train]
    prior = class_prior(labels, len(trained_on.classes), patients)
    probabilities = {
        ("prior", PRIOR): alike(np.tile(prior, (len(manifest.table), 1))),
        **{
            ("member", name): alike(member_probabilities(own))
            for name, own in predicted.members.items()
        },
        ("meta-learner", stack.meta_learner.kind): predicted.stack,
    }
    return {
        "classes": list(manifest.classes),
        "samples": len(manifest.table),
        "patients": int(manifest.table["patient"].nunique()),
        "patients_declared": manifest.patients_declared,
        "chosen": stack.meta_learner.kind,
        "rows": [_row(scorer, rows[key], own) for key, own in probabilities.items()],
        "out_of_fold": _out_of_fold(rows["meta-learner", stack.meta_learner.kind]),
        "conformal": _coverage(scorer, stack, predicted.stack),
        "comparison": _comparison(scorer, rows, probabilities),
    }


def _row(scorer: Scorer, row: Row, probabilities: ByLevel) -> dict[str, Any]:
    """Score a row of the run on the external samples, at the thresholds it has."""
    facts = {key: value for key, value in row.items() if key not in ("oof", "test")}
    manifest = scorer.prepared.manifest
    scores = scorer.by_level(probabilities, manifest.labels, manifest.patients, thresholds_of(row))
    return {**facts, "scores": scores}


def _out_of_fold(row: Row) -> dict[str, Any]:
    return {level: scores["metrics"] for level, scores in row["oof"].items()}


def _coverage(scorer: Scorer, stack: Stack, probabilities: ByLevel) -> dict[str, Any]:
    manifest = scorer.prepared.manifest
    found: dict[str, Any] = {}
    for level in scorer.levels:
        sets = stack.conformal.get(level)
        if sets is None:  # patients are known here who were not in training
            continue
        rows = Leveled.of(level, probabilities, manifest.labels, manifest.patients, {})
        scored = score_coverage(scorer, rows, sets.sets(rows.probabilities))
        found[level] = {"method": sets.method, "alpha": sets.alpha, "test": scored}
    return found


def _comparison(
    scorer: Scorer,
    rows: Rows,
    probabilities: Mapping[tuple[str, str], ByLevel],
) -> dict[str, Any]:
    """Compare the stack with the member that was best out of fold, patient by patient."""
    manifest = scorer.prepared.manifest

    def loss_out_of_fold(key: tuple[str, str]) -> float:
        *_, highest = rows[key]["oof"].values()
        return float(highest["metrics"]["log_loss"]["value"])

    best = min((key for key in rows if key[0] == "member"), key=loss_out_of_fold)
    *_, stack = rows
    ours, rival = (probabilities[each][scorer.highest] for each in (stack, best))
    difference = scorer.difference(ours, rival, manifest.labels, manifest.patients)
    return {
        "title": f"stack ({stack[1]}) against '{best[1]}', its best member out of fold",
        "metric": "log_loss",
        "level": scorer.highest,
        "meaning": "negative: the stack is better",
        "difference": vars(difference),
    }
