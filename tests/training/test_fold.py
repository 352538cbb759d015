"""What a fold writes and reports."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from raymed.data.arrays import open_array
from raymed.data.predictions import SPLIT, logits_of, prediction_schema
from raymed.errors import InputError, TrainingError
from raymed.files import read_json
from raymed.models import build_classifier
from raymed.training.checkpoints import load_final
from raymed.training.inputs import Inputs

Make = Callable[..., Any]
TWO = (
    {"train": "head", "epochs": 1, "lr": 1e-2},
    {"train": "all", "epochs": 2, "lr": 1e-3, "ratio": 0.1},
)
COLUMNS = {
    "phase", "train", "epoch", "loss", "accuracy", "held_out_loss", "held_out_accuracy",
    "lr_head", "lr_stem", "seconds", "images_per_second", "skipped_steps",
}  # fmt: skip


@pytest.mark.parametrize("fold", [0, 2])
def test_predictions_cover_the_fold_and_the_test_split_and_nothing_else(
    fold: int, toy: Any, recipe: Make, run: Make
) -> None:
    table = run(recipe(), fold=fold).predictions
    samples = toy.samples
    told = dict(zip(table["sample_id"].to_pylist(), table[SPLIT].to_pylist(), strict=True))
    own = {samples.sample_ids[row]: "train" for row in range(36) if samples.fold[row] == fold}
    test = {samples.sample_ids[row]: "test" for row in range(36) if samples.fold[row] == -1}
    assert told == own | test
    assert len(table) == len(own) + len(test) == 18


def test_predictions_have_the_schema_and_tell_each_samples_own_facts(
    toy: Any, recipe: Make, run: Make
) -> None:
    table = run(recipe(), fold=1, seed=11).predictions
    assert table.drop_columns([SPLIT]).schema.equals(prediction_schema(3))
    assert set(table["member"].to_pylist()) == {"3f9a1c"}
    assert set(table["fold"].to_pylist()) == {1}
    assert set(table["seed"].to_pylist()) == {11}
    row_of = {name: row for row, name in enumerate(toy.samples.sample_ids)}
    rows = [row_of[name] for name in table["sample_id"].to_pylist()]
    for column, values in (("patient", "patients"), ("site", "sites"), ("label", "labels")):
        assert table[column].to_pylist() == getattr(toy.samples, values)[rows].tolist()
    assert logits_of(table).shape == (18, 3)
    assert np.isfinite(logits_of(table)).all()


def test_the_final_checkpoint_is_the_model_and_no_optimizer(
    toy: Any, recipe: Make, run: Make
) -> None:
    plan = recipe(phases=TWO)
    done = run(plan)
    model = build_classifier(plan, 3)
    assert done.weights.keys() == model.state_dict().keys()
    assert {path.name for path in done.attempt.iterdir()} == {
        "checkpoint.safetensors", "state.json", "epochs.parquet", "predictions.parquet",
    }  # fmt: skip
    assert read_json(done.attempt / "state.json")["file"] == "checkpoint.safetensors"
    load_final(done.attempt, model)
    rows = np.concatenate([toy.samples.held_out_rows(0), toy.samples.test_rows()])
    logits = Inputs(open_array(toy.images), torch.device("cpu")).predict_all(model, rows, 3)
    assert np.array_equal(logits, logits_of(done.predictions))


def test_a_final_checkpoint_that_cannot_be_loaded_is_named(recipe: Make, run: Make) -> None:
    done = run(recipe())
    other = build_classifier(recipe(model="test_vit"), 3)
    with pytest.raises(InputError, match=r"checkpoint.safetensors: cannot be loaded .*; delete"):
        load_final(done.attempt, other)
    own = build_classifier(recipe(), 3)
    path = done.attempt / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cannot be loaded .*; delete the fold's folder"):
        load_final(done.attempt, own)
    path.unlink()
    with pytest.raises(InputError, match=r"cannot be loaded .*; delete the fold's folder"):
        load_final(done.attempt, own)


def test_every_epoch_is_written_down(recipe: Make, run: Make) -> None:
    done = run(recipe(phases=TWO))
    epochs = done.epochs.to_pandas()
    assert set(epochs.columns) == COLUMNS
    assert epochs["epoch"].tolist() == [1, 2, 3]
    assert epochs["phase"].tolist() == [1, 2, 2]
    assert epochs["train"].tolist() == ["head", "all", "all"]
    assert epochs["lr_stem"].tolist() == pytest.approx([1e-2, 1e-4, 1e-4])
    assert (epochs["images_per_second"] > 0).all()
    assert epochs["accuracy"].between(0, 1).all()
    assert epochs["held_out_accuracy"].between(0, 1).all()


def test_an_epochs_loss_is_the_mean_over_its_samples(
    recipe: Make, run: Make, trainer: Make
) -> None:
    """Rate 1e-9 leaves the zero head where it is, so that every sample's loss is ln 3."""
    epochs = run(recipe(phases=({"epochs": 1, "lr": 1e-9},))).epochs.to_pandas()
    assert epochs["loss"].tolist() == pytest.approx([math.log(3)], rel=1e-5)
    assert epochs["held_out_loss"].tolist() == pytest.approx([math.log(3)], rel=1e-5)


def test_reports_count_to_the_last_step(recipe: Make, run: Make) -> None:
    said = run(recipe(phases=TWO)).reports
    assert [report.step for report in said if report.checkpoint] == [3, 6]
    reports = [report for report in said if report.curve is None]
    assert [report.step for report in reports] == list(range(1, 10))
    assert {(report.steps, report.epochs) for report in reports} == {(9, 3)}
    assert [report.epoch for report in reports] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert all(report.loss > 0 and report.images_per_second > 0 for report in reports)


def test_the_last_step_is_reported_however_rare_reports_are(recipe: Make, run: Make) -> None:
    reports = run(recipe(phases=TWO), report=1e9).reports
    (report,) = (report for report in reports if report.curve is None)
    assert report.step == report.steps == 9


def test_each_epoch_ends_with_the_held_out_losses_so_far(recipe: Make, run: Make) -> None:
    trained = run(recipe(phases=TWO))
    told = [(report.step, report.curve) for report in trained.reports if report.curve]
    written = trained.epochs.to_pydict()
    assert [step for step, _ in told] == [3, 6, 9]
    for epoch, (_, curve) in enumerate(told, start=1):
        assert list(curve.held_out_losses) == written["held_out_loss"][:epoch]
        assert curve.seconds == pytest.approx(sum(written["seconds"][:epoch]))


def test_a_fold_that_goes_on_tells_the_epochs_of_its_earlier_attempt_too(
    recipe: Make, run: Make
) -> None:
    before = run(recipe(phases=TWO), stop=7)
    again = run(recipe(phases=TWO), earlier=(before,))
    whole = run(recipe(phases=TWO))
    curves = [report.curve for report in again.reports if report.curve]
    expected = whole.epochs["held_out_loss"].to_pylist()
    assert [list(curve.held_out_losses) for curve in curves] == [expected]


EXPLODING = {"batch_size": 18, "optimizer": {"clip": None}, "freeze_batchnorm": True}


def test_a_run_whose_weights_blow_up_within_one_epoch_names_the_next_step(
    recipe: Make, run: Make
) -> None:
    """One step an epoch: the loss before it is finite, that of the checkpoint after it is not."""
    plan = recipe(phases=({"epochs": 3, "lr": 1e30},), **EXPLODING)
    with pytest.raises(TrainingError, match="the loss became nan in phase 1, epoch 2, step 1"):
        run(plan)


def test_a_run_that_blows_up_in_its_last_step_leaves_no_predictions(
    recipe: Make, run: Make, tmp_path: Any
) -> None:
    plan = recipe(phases=({"epochs": 1, "lr": 1e30},), **EXPLODING)
    with pytest.raises(TrainingError, match="predicts values that are not finite"):
        run(plan)
    assert not list(tmp_path.rglob("*.parquet"))
    assert not list(tmp_path.rglob("checkpoint.safetensors"))


def test_bf16_stays_close_to_fp32(recipe: Make, run: Make) -> None:
    runs = [run(recipe(phases=TWO, precision=precision)) for precision in ("fp32", "bf16")]
    full, half = (logits_of(done.predictions) for done in runs)
    assert not np.array_equal(full, half)
    assert np.abs(full - half).max() < 0.1 * np.abs(full).max()
    assert {value.dtype for value in runs[1].weights.values()} == {torch.float32, torch.int64}


def test_a_network_learns_what_the_toy_shows(recipe: Make, run: Make) -> None:
    """Stripes tell the classes apart: a few epochs must find them on patients unseen."""
    done = run(recipe(phases=({"epochs": 12, "lr": 3e-3},)))
    table = done.predictions
    right = logits_of(table).argmax(axis=1) == np.array(table["label"].to_pylist())
    assert right.mean() > 0.8
    losses = done.epochs["loss"].to_pylist()
    assert losses[-1] < 0.5 * losses[0]
