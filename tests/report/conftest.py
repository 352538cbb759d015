"""A toy run folder: real scores of made-up predictions, made-up audit and epochs."""

from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from raymed.config import parse_experiment, write_experiment
from raymed.data.intake.manifest import Manifest
from raymed.evaluation import (
    Question,
    class_prior,
    draw_curves,
    pairs,
    patterns,
    score,
    score_sets,
)
from raymed.evaluation.curves import GRID
from raymed.files import mark_complete, write_json, write_text
from raymed.optim.sharpness import LossLine, LossPlane, Sharpness
from raymed.runs import FOLD_FILES, RunFolder

CLASSES = ["glioma", "meningioma", "<i>no tumour</i> & co"]
FOLDS = 3
MEMBERS = {  # name: (id, model, whether it is a probe, its skill as a share of the stack's)
    "probe-lite0": ("3f9a1c", "tf_efficientnet_lite0", True, 0.5),
    "tuned-lite0": ("b20e77", "tf_efficientnet_lite0", False, 0.9),
    "scratch-tiny": ("c4417d", "test_resnet", False, 0.0),
}


def _scores(skill: float, patients: int, declared: bool, seed: int) -> dict[str, Any]:
    """Score predictions whose true class has a logit `skill` above the others, plus noise.

    Half of the noise is shared by a patient's images, as hard patients are hard in all of them.
    """
    rng = np.random.default_rng(seed)
    of_patient = np.repeat(np.arange(patients), 4)
    labels = of_patient % len(CLASSES)
    noise = rng.normal(size=(patients, len(CLASSES)))[of_patient]
    noise = noise + rng.normal(size=(len(labels), len(CLASSES)))
    logits = 0.5 * skill * noise + skill * np.eye(len(CLASSES))[labels]
    if skill == 0:
        shares = np.tile(class_prior(labels, len(CLASSES), of_patient), (len(labels), 1))
    else:
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    groups = of_patient if declared else np.arange(len(labels))
    levels: list[Literal["image", "patient"]] = ["image", "patient"] if declared else ["image"]
    return {
        level: score(shares, labels, groups, CLASSES, level=level, folds=FOLDS, draws=100).as_dict()
        for level in levels
    }


def _rows(skill: float, patients: int, declared: bool, test: bool) -> list[dict[str, Any]]:
    def row(name: str, kind: str, own: float, **facts: Any) -> dict[str, Any]:
        seed = sum(name.encode())
        return {
            "name": name,
            "kind": kind,
            **facts,
            "oof": _scores(own, patients, declared, seed),
            "test": _scores(own, 18, declared, seed + 1) if test else None,
        }

    members = [
        row(
            name,
            "member",
            share * skill,
            id=id_,
            model=model,
            probe=probe,
            training_seconds=85.2,
            left_out=None if share else "no better than the class prior",
        )
        for name, (id_, model, probe, share) in MEMBERS.items()
    ]
    weights = {name: 0.5 if share else 0.0 for name, (*_, share) in MEMBERS.items()}
    trust = {name: [0.2, 0.3, 0.5] for name in MEMBERS}
    return [
        row("class prior", "prior", 0.0),
        *members,
        row("mean", "meta-learner", 0.95 * skill, weights=weights),
        row(
            "logistic",
            "meta-learner",
            skill,
            weights=weights,
            trust=trust,
            temperatures={"image": 1.2},
        ),
    ]


def _sets(patients: int) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    labels = np.arange(patients) % len(CLASSES)
    sets = rng.random((patients, len(CLASSES))) < np.where(np.eye(3)[labels] > 0, 0.9, 0.3)
    return asdict(score_sets(sets, labels, range(patients), CLASSES, draws=100))


def _beyond(patients: int, declared: bool, test: bool) -> dict[str, Any]:
    """Conformal sets, abstention and diversity, as the pipeline writes them."""
    levels = ["image", "patient"] if declared else ["image"]
    curve = {
        "coverage": [0.25, 0.5, 1.0],
        "risk": [0.0, 0.1, 0.2],
        "confidence": [0.9, 0.8, 0.4],
        "area": 0.125,
    }
    rng, names = np.random.default_rng(4), list(MEMBERS)
    labels = np.arange(patients) % 3
    predicted = np.where(rng.random((patients, 3)) < 0.7, labels[:, None], 0)
    sets = {"method": "lac", "alpha": 0.1, "by_class": False, "thresholds": [0.7, 0.7, None]}
    return {
        "conformal": {
            level: {**sets, "oof": _sets(patients), "test": _sets(18) if test else None}
            for level in levels
        },
        "abstention": {level: {"oof": curve, "test": curve if test else None} for level in levels},
        "diversity": {
            "level": levels[-1],
            "rows": patients,
            "pairs": [asdict(pair) for pair in pairs(names, predicted, labels)],
            "patterns": [asdict(pattern) for pattern in patterns(names, predicted, labels)],
            "repairs": {name: {"repaired": 7, "introduced": 2, "rows": patients} for name in names},
        },
    }


def _drawn(rng: np.random.Generator, patients: int, of: int) -> dict[str, Any]:
    truth = np.arange(patients) % len(CLASSES) == of
    stack, member = (
        draw_curves(
            Question(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1), truth, names),
            f"of class {CLASSES[of]!r}",
            draws=100,
        )
        for names in [np.arange(patients).astype(str)] * 2
    )
    drawn: dict[str, Any] = {"positive": float(truth.mean()), "point": None}
    for kind in ("roc", "precision_recall"):
        own, other = getattr(stack, kind), getattr(member, kind)
        drawn[kind] = {
            "x": own.x.tolist(),
            "y": own.y.tolist(),
            "area": asdict(own.area),
            "low": None if own.low is None else own.low.tolist(),
            "high": None if own.high is None else own.high.tolist(),
            "warning": own.warning,
            "member": {"x": other.x.tolist(), "y": other.y.tolist(), "area": other.area.value},
        }
    return drawn


def _curves(patients: int, declared: bool, test: bool) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    return {
        "level": "patient" if declared else "image",
        "member": "tuned-lite0",
        "grid": GRID.tolist(),
        "questions": [
            {
                "title": name,
                "binary": False,
                "threshold": None,
                "oof": _drawn(rng, patients, of),
                "test": _drawn(rng, 18, of) if test else None,
            }
            for of, name in enumerate(CLASSES)
        ],
    }


@cache
def _metrics(skill: float, patients: int, declared: bool, test: bool) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "toy",
        "created": "2025-01-02T03:04:05+00:00",
        "seed": 7,
        "draws": 100,
        "folds": FOLDS,
        "classes": CLASSES,
        "ordinal": False,
        "positive": None,
        "patients_declared": declared,
        "samples": 4 * patients,
        "patients": patients,
        "test_samples": 72 if test else 0,
        "test_patients": 18 if test else 0,
        "chosen": "logistic",
        "rows": _rows(skill, patients, declared, test),
        **_beyond(patients, declared, test),
        "curves": _curves(patients, declared, test),
        "failed": [{"name": "broken", "id": "dead00", "reason": "loss <nan> in epoch 2"}],
        "comparisons": [
            {
                "title": "fine-tuned 'tuned-lite0' against probe 'probe-lite0'",
                "metric": "log_loss",
                "difference": {"value": -0.213, "low": -0.304, "high": -0.118, "p": 0.0009},
                "p_holm": 0.012,
                "meaning": "negative: fine-tuning helped",
            }
        ],
        "provenance": {
            "versions": {"raymed": "0.1.0", "torch": "2.8.0"},
            "hashes": {"manifest": "a1" * 32, "folds": "b2" * 32},
            "machine": {"cores": 2, "device": "cpu", "platform": "Linux-x86_64"},
            "started": "2025-01-02T02:04:05+00:00",
            "wall_seconds": 3605.0,
        },
    }


def _audit(patients: int, declared: bool) -> dict[str, Any]:
    known = patients if declared else None
    return {
        "samples": 4 * patients,
        "patients": known,
        "patients_declared": declared,
        "classes": [
            {"name": name, "samples": 80, "patients": 20, "test_samples": 24, "test_patients": 6}
            for name in CLASSES
        ],
        "sites": [{"name": "north <1>", "samples": 4 * patients, "patients": known}],
        "duplicates": {
            "exact": 2,
            "near": 3,
            "across_patients": 1,
            "across_splits": 0,
            "contradictory": 0,
            "examples": [["p01_s1", "p07_s2"]],
        },
        "hidden_groups": {
            "found": 12,
            "people": 10,
            "images": 40,
            "confidence": 0.993,
            "threshold": 3.5,
            "correlation": 0.957,
            "histogram": {
                "edges": [-2.0, 0.0, 2.0, 4.0, 6.0],
                "inside": [0, 0, 5, 35],
                "strangers": [30, 9, 1, 0],
                "dimension": 11.0,
            },
            "examples": [["p01_s1", "p01_s2"]],
            "groups": {},
        },
        "leak_sentinel": {
            "classifier": "nearest neighbour on 32 x 32 pixels",
            "image_level": {"accuracy": 0.93, "macro_f1": 0.92},
            "patient_grouped": {"accuracy": 0.71, "macro_f1": 0.68},
        }
        if declared
        else None,
        "findings": [
            {
                "severity": "serious",
                "name": "hidden-people",
                "what": "a patient in two splits",
                "remedy": "move it",
            },
            {
                "severity": "note",
                "name": "copies",
                "what": "2 exact duplicates",
                "remedy": "drop one of each",
            },
        ],
    }


def _epochs(fold: int, probe: bool) -> pd.DataFrame:
    epochs = np.arange(1, 9)
    loss = 1.1 * np.exp(-epochs / 4) + 0.02 * fold
    return pd.DataFrame(
        {
            "phase": np.ones(8, int) if probe else np.repeat([1, 2], [3, 5]),
            "train": ["head"] * 8 if probe else ["head"] * 3 + ["all"] * 5,
            "epoch": epochs,
            "loss": loss,
            "held_out_loss": np.where(epochs == 1, np.nan, loss + 0.1 + 0.03 * fold),
        }
    )


def _moved(fold: int, probe: bool) -> list[dict[str, Any]]:
    """Move the stem by 0.1 %, the blocks by 0.2 and 0.4 %, and 10 % more in each fold."""
    groups = ["stem", "blocks.0", "<b>1</b>"]
    changes = [0.0, 0.0, 0.0] if probe else [1e-3, 2e-3, 4e-3]
    body = [
        {"group": group, "relative": change * (1 + 0.1 * fold), "absolute": change}
        for group, change in zip(groups, changes, strict=True)
    ]
    return [*body, {"group": "head", "relative": None, "absolute": 0.5}]


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """Fill a run folder whose stack has a given skill; 0 predicts the class prior."""

    def make(
        skill: float = 2.5, patients: int = 60, declared: bool = True, test: bool = True
    ) -> RunFolder:
        run = RunFolder.at(tmp_path / "run")
        experiment = {
            "name": "toy",
            "data": {"source": "images", "patients": {"column": "patient"}},
            "recipes": {"tuned-lite0": {"model": "tf_efficientnet_lite0"}},
        }
        parsed = parse_experiment(experiment, tmp_path, "toy.yaml")
        write_text(run.experiment_file, write_experiment(parsed))
        write_json(run.metrics_file, _metrics(skill, patients, declared, test))
        write_json(run.audit_file, _audit(patients, declared))
        _manifest().write(run.manifest_file)
        for id_, _, probe, _ in MEMBERS.values():
            for fold in range(FOLDS):
                _complete_fold(run, id_, fold, probe)
        return run

    return make


def _manifest() -> Manifest:
    rows = [(f"s{at}", f"s{at}.png", at % 3, f"P{at}", "", "train", f"{at:064}") for at in range(3)]
    columns = ["sample_id", "image", "label", "patient", "site", "split", "checksum"]
    return Manifest(pd.DataFrame(rows, columns=columns), tuple(CLASSES), True, 1)


def _complete_fold(run: RunFolder, id_: str, fold: int, probe: bool) -> None:
    member = run.member(id_)
    attempt = member.start_attempt(fold)
    for name in FOLD_FILES:
        (attempt / name).touch()
    _epochs(fold, probe).to_parquet(attempt / "epochs.parquet")
    files = [f"{attempt.name}/{name}" for name in FOLD_FILES]
    moved = _moved(fold, probe)
    mark_complete(member.fold(fold), files, attempt=attempt.name, moved=moved)


def _sharpness(height: float, trained: str) -> dict[str, Any]:
    """A bowl: the loss is 0.5 + height r^2; every other figure is its place among the fields."""
    figures = {field.name: at + 0.5 for at, field in enumerate(fields(Sharpness))}
    whole = ("parameters", "steps", "noise_draws", "trace_probes")
    figures |= {name: round(figures[name]) for name in whole} | {"loss": 0.5}

    def loss(alpha: float, beta: float = 0.0) -> float:
        return 0.5 + height * (alpha**2 + beta**2)

    line = tuple(step / 10 for step in range(-10, 11))
    grid = tuple(step / 5 for step in range(-5, 6))
    plane = tuple(tuple(loss(alpha, beta) for alpha in grid) for beta in grid)
    return {
        "about": "x",
        "fold": 0,
        "sample_ids": ["a", "b", "c"],
        "trained": trained,
        "figures": figures,
        "line": asdict(LossLine(line, tuple(loss(alpha) for alpha in line))),
        "plane": asdict(LossPlane(grid, grid, plane)),
    }


@pytest.fixture
def measure(make_run: Callable[..., RunFolder]) -> Callable[..., RunFolder]:
    """Fill a run folder whose three members were measured."""

    def make(asked: bool = True, **options: Any) -> RunFolder:
        run = make_run(**options)
        experiment = run.experiment()
        recipe = experiment.recipes["tuned-lite0"]
        changed = experiment.model_copy(
            update={
                "recipes": dict.fromkeys(MEMBERS, recipe),
                "evaluate": experiment.evaluate.model_copy(
                    update={"sharpness": asked, "surfaces": ("tuned-lite0", "scratch-tiny")}
                ),
            }
        )
        write_text(run.experiment_file, write_experiment(changed))
        for at, (id_, _, probe, _) in enumerate(MEMBERS.values()):
            stored = _sharpness(2.0 + at, "head" if probe else "all")
            write_json(run.member(id_).sharpness_file, stored)
        return run

    return make
