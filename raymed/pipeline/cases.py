"""The cases that the report shows: what the stack is surest about, rightly and wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from raymed.data.batches import Indices
from raymed.data.folds import TEST
from raymed.data.predictions import logits_of
from raymed.data.samples import SampleColumns
from raymed.data.shown_ids import ShownIds
from raymed.ensemble import OofTable
from raymed.evaluation import Case, surest_cases
from raymed.pipeline.members import Member, member_table
from raymed.pipeline.scorer import ByLevel, Probabilities, Scorer


def choose_cases(
    scorer: Scorer,
    members: Sequence[Member],
    oof: OofTable,
    stacked: ByLevel,
    on_test: ByLevel | None,
) -> list[dict[str, Any]]:
    """Choose the cases of each split, JSON-ready; none where the experiment wants none.

    Probabilities are the patient's, from the stack and from each member; `images` counts the
    images that they are the mean of. Codes stand for sample and patient: metrics are shared.
    """
    prepared, most = scorer.prepared, scorer.experiment.evaluate.gallery
    if not most:
        return []
    samples = SampleColumns.of(prepared.manifest, prepared.folds)
    splits = [
        _Split(
            "oof",
            np.flatnonzero(samples.fold != TEST),
            stacked[scorer.highest],
            oof.logits[np.newaxis],
        )
    ]
    if on_test is not None:
        rows = samples.test_rows()
        logits = [_logits_on_test(member, len(rows)) for member in members]
        splits.append(_Split("test", rows, on_test[scorer.highest], np.stack(logits, axis=2)))
    names = [member.name for member in members]
    ids = ShownIds.coded(prepared.manifest.table["checksum"])
    return [
        split.describe(case, samples, names, prepared.manifest.classes, ids)
        for split in splits
        for case in split.surest(samples, most)
    ]


@dataclass(frozen=True, eq=False)
class _Split:
    """A split's rows: the stack's probabilities [rows, classes], logits of the models behind it.

    `logits` is [fold models, rows, members, classes]; out of fold there is one model a row.
    """

    name: str
    rows: Indices
    stack: Probabilities
    logits: npt.NDArray[np.float32]

    def surest(self, samples: SampleColumns, most: int) -> list[Case]:
        """Choose the cases."""
        labels, patients = samples.labels[self.rows], samples.patients[self.rows]
        return surest_cases(self.stack, labels, patients, most)

    def describe(
        self,
        case: Case,
        samples: SampleColumns,
        names: Sequence[str],
        classes: Sequence[str],
        ids: ShownIds,
    ) -> dict[str, Any]:
        """Say who it is, by codes, and what the stack and each member predict."""
        shown = self.rows[case.shown]
        said = softmax(self.logits[:, case.rows].astype(np.float64), axis=3).mean(axis=(0, 1))
        return {
            "split": self.name,
            "right": case.right,
            "sample": ids.sample(str(samples.sample_ids[shown])),
            "patient": ids.patient(str(samples.patients[shown])),
            "images": len(case.rows),
            "label": classes[case.label],
            "predicted": classes[case.predicted],
            "probability": case.probability,
            "members": [
                {"name": name, "predicted": classes[own.argmax()], "probability": float(own.max())}
                for name, own in zip(names, said, strict=True)
            ],
        }


def _logits_on_test(member: Member, count: int) -> npt.NDArray[np.float32]:
    """Give a member's logits of the test split: [fold models, samples, classes]."""
    logits = logits_of(member_table(member, "test"))
    return logits.reshape(-1, count, logits.shape[1])
