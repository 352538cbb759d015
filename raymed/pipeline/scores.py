"""Every figure of a run: members, meta-learners and the class prior, side by side."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from raymed.config import Experiment
from raymed.data.predictions import logits_of
from raymed.ensemble import (
    Candidate,
    MetaLearner,
    MetaRows,
    OofTable,
    mean_weights,
    member_probabilities,
    predict_folds,
)
from raymed.evaluation import class_prior
from raymed.files import complete
from raymed.pipeline.comparisons import compare_members
from raymed.pipeline.libraries import library_versions
from raymed.pipeline.members import Member, member_table
from raymed.pipeline.nodes import facts_of, node_rows
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import ByLevel, Scorer, alike
from raymed.runs import now


def score_run(
    experiment: Experiment,
    prepared: Prepared,
    members: Sequence[Member],
    oof: OofTable,
    candidates: Sequence[Candidate],
    chosen: Candidate,
    fitted: Mapping[str, MetaLearner],
    failed: Mapping[str, str],
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """Gather what the report shows; JSON-ready.

    `candidates` are cross-fitted; `fitted` holds each kind's meta-learner of all rows.
    """
    scorer = Scorer(experiment, prepared)
    manifest, test = prepared.manifest, prepared.manifest.is_test
    declared = manifest.patients_declared
    rows = [_prior_row(scorer, oof, test)]
    rows += _member_rows(scorer, members, oof)
    rows += _meta_learner_rows(scorer, members, oof, candidates, fitted)
    people = manifest.table["patient"]
    return {
        "schema": 1,
        "name": experiment.name,
        "created": now(),
        "seed": experiment.seed,
        "draws": experiment.evaluate.draws,
        "folds": prepared.folds.count,
        "classes": list(manifest.classes),
        "ordinal": experiment.data.ordinal,
        "positive": list(experiment.data.binary.positive) if experiment.data.binary else None,
        "patients_declared": declared,
        "samples": int((~test).sum()),
        "patients": int(people[~test].nunique()),
        "test_samples": int(test.sum()),
        "test_patients": int(people[test].nunique()),
        "chosen": chosen.kind,
        "rows": rows,
        "failed": [{"name": name, "id": "", "reason": why} for name, why in failed.items()],
        "comparisons": compare_members(scorer, members, oof, chosen),
        "provenance": _provenance(prepared, machine, members),
    }


def _prior_row(scorer: Scorer, oof: OofTable, test: npt.NDArray[np.bool_]) -> dict[str, Any]:
    prior = class_prior(oof.labels, oof.classes, oof.patients)
    on_test = alike(np.tile(prior, (int(test.sum()), 1))) if test.any() else None
    everywhere = alike(np.tile(prior, (len(oof.labels), 1)))
    return {"name": "class prior", "kind": "prior", **scorer.row(oof, everywhere, on_test)}


def _member_rows(scorer: Scorer, members: Sequence[Member], oof: OofTable) -> list[dict[str, Any]]:
    kept = mean_weights(MetaRows.of(oof.logits, oof.labels, oof.patients)) > 0
    rows = []
    for place, member in enumerate(members):
        own = softmax(oof.logits[:, place].astype(np.float64), axis=1)
        on_test = member_on_test(member, scorer.prepared)
        done = complete(member.folder.path) or {}
        rows.append(
            {
                "name": member.name,
                "kind": "member",
                "id": member.id,
                "model": member.recipe.model,
                "probe": member.recipe.is_probe,
                "training_seconds": done.get("seconds"),
                "left_out": None if kept[place] else "no better than the class prior",
                **scorer.row(oof, alike(own), None if on_test is None else alike(on_test)),
            }
        )
    return rows


def _meta_learner_rows(
    scorer: Scorer,
    members: Sequence[Member],
    oof: OofTable,
    candidates: Sequence[Candidate],
    fitted: Mapping[str, MetaLearner],
) -> list[dict[str, Any]]:
    """Score every candidate: cross-fitted on the OOF rows, fitted on all of them for the test."""
    rows, names = [], [member.name for member in members]
    for candidate in candidates:
        learner = fitted[candidate.kind]
        on_test = stack_on_test(learner, members, scorer.prepared)
        rows.append(
            {
                "name": candidate.kind,
                "kind": "meta-learner",
                "temperatures": {level: learner.temperatures[level] for level in scorer.levels},
                "weights": dict(zip(names, learner.member_weights.tolist(), strict=True)),
                "trust": dict(zip(names, learner.trust.tolist(), strict=True)),
                **scorer.row(oof, candidate.probabilities, on_test),
            }
        )
    return rows


def member_on_test(member: Member, prepared: Prepared) -> npt.NDArray[np.float64] | None:
    """Average a member's fold models on the test split [samples, classes]; None without one."""
    test = prepared.manifest.is_test
    if not test.any():
        return None
    return member_probabilities(_test_logits([member], test)[:, :, 0])


def stack_on_test(
    learner: MetaLearner, members: Sequence[Member], prepared: Prepared
) -> ByLevel | None:
    """Combine the members' predictions of the test split; None without one."""
    test = prepared.manifest.is_test
    return predict_folds(learner, _test_logits(members, test)) if test.any() else None


def _test_logits(members: Sequence[Member], test: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Stack the members' logits on the test split: [folds, samples, members, classes]."""
    parts = []
    for member in members:
        table = member_table(member, "test")
        logits = logits_of(table).astype(np.float64)
        parts.append(logits.reshape(-1, int(test.sum()), logits.shape[1]))
    return np.stack(parts, axis=2)


def _provenance(
    prepared: Prepared, machine: Mapping[str, Any], members: Sequence[Member]
) -> dict[str, Any]:
    return {
        "versions": library_versions(),
        "hashes": {"manifest": prepared.manifest.content, "folds": prepared.folds.content},
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "device": machine["device"],
            "workers": machine["workers"],
            "engine": machine["engine"],
            "platform": platform.platform(),
        },
        "nodes": node_rows(facts_of(members, prepared.folds.count)),
        "started": machine["started"],
        "wall_seconds": round(time.monotonic() - machine["clock"], 1),
    }
