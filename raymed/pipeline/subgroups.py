"""How the stack does in each subgroup, on its cross-fitted rows and on the test split."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from raymed.config import Subgroup
from raymed.data import Manifest
from raymed.evaluation import score_subgroups
from raymed.pipeline.scorer import ByLevel, Scorer


def said_of_groups(manifest: Manifest, subgroups: Sequence[Subgroup]) -> list[list[str]]:
    """List the group of every sample, for each column: what the figures rest on besides rows."""
    return [manifest.groups(subgroup).of_sample.tolist() for subgroup in subgroups]


def subgroup_facts(
    scorer: Scorer, stacked: ByLevel, on_test: ByLevel | None
) -> list[dict[str, Any]]:
    """Score the stack by each column's groups, at the highest level; JSON-ready.

    `stacked` has the samples outside the test split and `on_test` those inside, both in the
    manifest's order.
    """
    manifest = scorer.prepared.manifest
    test = manifest.is_test

    def scored(
        subgroup: Subgroup, own: npt.NDArray[np.bool_], probabilities: ByLevel
    ) -> list[dict[str, Any]]:
        groups = manifest.groups(subgroup)
        found = score_subgroups(
            probabilities[scorer.highest],
            manifest.labels[own],
            manifest.patients[own],
            groups.of_sample[own],
            groups.names,
            scorer.terms,
        )
        return [asdict(each) for each in found]

    return [
        {
            "column": subgroup.column,
            "level": scorer.highest,
            "oof": scored(subgroup, ~test, stacked),
            "test": None if on_test is None else scored(subgroup, test, on_test),
        }
        for subgroup in scorer.experiment.evaluate.subgroups
    ]
