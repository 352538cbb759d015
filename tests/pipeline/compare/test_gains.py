"""Gains are paired by patient, and repeats are no new patients."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from raymed.data import Folds, Manifest
from raymed.evaluation import paired_difference
from raymed.pipeline.build import Built
from raymed.pipeline.compare.contenders import Contender, Predicted
from raymed.pipeline.compare.gains import compare_contenders, pool
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.prepare import Prepared
from raymed.runs import RunFolder

PRECISE = 1e-9


@pytest.fixture(scope="module")
def repeat(built: Built) -> Repeat:
    run = RunFolder(built.run.path)
    prepared = Prepared(Manifest.read(run.manifest_file), Folds.read(run.folds_file))
    return Repeat(run.experiment(), run, prepared, {}, {})


def contenders(repeat: Repeat, repeats: int = 1) -> list[Contender]:
    """A weak one and a strong one, made up for every sample out of fold."""
    rng = np.random.default_rng(0)
    labels = repeat.prepared.manifest.labels[repeat.prepared.folds.fold >= 0]
    noise = rng.random((len(labels), 4))
    truth = np.eye(4)[labels]
    weak, strong = (noise + share * truth for share in (0.2, 1.5))
    return [
        Contender("sam", name, against, (Predicted(own, None),) * repeats, {"recipe": name})
        for name, against, own in (
            ("weak", None, weak / weak.sum(axis=1, keepdims=True)),
            ("strong", "weak", strong / strong.sum(axis=1, keepdims=True)),
        )
    ]


def test_a_gain_is_the_paired_difference_at_patient_level_and_positive_where_better(
    repeat: Repeat,
) -> None:
    weak, strong = contenders(repeat)

    first, second = compare_contenders([weak, strong], [repeat])

    assert first["gain"] is None
    inside = repeat.prepared.folds.fold >= 0
    manifest = repeat.prepared.manifest
    expected = paired_difference(
        strong.predicted[0].oof,
        weak.predicted[0].oof,
        manifest.labels[inside],
        manifest.patients[inside],
        level="patient",
        draws=repeat.experiment.evaluate.draws,
        seed=repeat.experiment.seed,
    )
    gain = second["gain"]["log_loss"]
    assert gain["value"] == pytest.approx(-float(expected.value or 0), abs=PRECISE)
    assert gain["low"] == pytest.approx(-float(expected.high or 0), abs=PRECISE)
    assert gain["high"] == pytest.approx(-float(expected.low or 0), abs=PRECISE)
    assert gain["p"] == expected.p
    losses = [row["oof"]["log_loss"]["value"] for row in (first, second)]
    assert gain["value"] == pytest.approx(losses[0] - losses[1], abs=PRECISE)
    assert second["gain"]["accuracy"]["value"] > 0


def test_both_sides_predict_the_same_patients(repeat: Repeat) -> None:
    weak, strong = (pool(each, [repeat], "oof") for each in contenders(repeat))

    assert weak.patients.tolist() == strong.patients.tolist()
    assert weak.labels.tolist() == strong.labels.tolist()
    assert len(set(weak.patients)) == len(weak.patients) < len(repeat.samples.labels)


def test_the_same_repeat_twice_is_no_more_evidence(repeat: Repeat) -> None:
    """A patient's rows of all repeats are drawn together, so an interval does not narrow."""

    def gain(times: int) -> dict[str, Any]:
        rows = compare_contenders(contenders(repeat, times), [repeat] * times)
        found: dict[str, Any] = rows[1]["gain"]["log_loss"]
        return found

    assert gain(2) == pytest.approx(gain(1), abs=PRECISE)


def test_p_values_allow_for_all_gains_of_the_table(repeat: Repeat) -> None:
    weak, strong = contenders(repeat)
    others = [replace(each, technique="architecture") for each in (weak, strong)]

    rows = compare_contenders([weak, strong, *others], [repeat])

    adjusted = [row["gain"][m]["p_holm"] for row in rows if row["gain"] for m in row["gain"]]
    smallest = min(row["gain"]["log_loss"]["p"] for row in rows if row["gain"])
    assert len(adjusted) == 4
    assert min(adjusted) == pytest.approx(4 * smallest)


def test_a_partner_that_is_missing_leaves_no_gain(repeat: Repeat) -> None:
    _, strong = contenders(repeat)

    assert compare_contenders([strong], [repeat])[0]["gain"] is None
