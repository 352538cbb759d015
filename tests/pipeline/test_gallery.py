"""The gallery: drawn once, by models that never saw the patient, and only where it is wanted."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from raymed.config import Experiment
from raymed.data import Folds, Manifest, image_file
from raymed.data.arrays import open_array
from raymed.data.batches import as_images
from raymed.data.samples import SampleColumns
from raymed.models import build_classifier
from raymed.models.saliency import saliency_maps
from raymed.pipeline.build import Built, build, build_events
from raymed.pipeline.events import Stage
from raymed.pipeline.gallery import who_looks
from raymed.pipeline.members import Member
from raymed.runs import MemberFolder
from raymed.training.checkpoints import load_final

Make = Callable[..., Experiment]
STAGE = "drawing the gallery"


def _rows(built: Built) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(built.run.gallery_file).to_pylist()
    return rows


def _stages(experiment: Experiment, run: Path) -> list[str]:
    return [each.name for each in build_events(experiment, run) if isinstance(each, Stage)]


@pytest.fixture
def copy(built: Built, tmp_path: Path) -> Path:
    """A copy of the finished run, to change."""
    shutil.copytree(built.run.path, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def samples(built: Built) -> SampleColumns:
    """What the run was built on."""
    folds = Folds.read(built.run.folds_file)
    return SampleColumns.of(Manifest.read(built.run.manifest_file), folds)


@pytest.mark.parametrize("split", ["oof", "test"])
def test_every_mistake_is_there_up_to_the_number_and_a_patient_once(
    built: Built, split: str
) -> None:
    rows = [row for row in _rows(built) if row["split"] == split]
    stack = next(row for row in built.metrics["rows"] if row["name"] == built.metrics["chosen"])
    confusion = np.array(stack[split]["patient"]["confusion"])
    wrong, right = confusion.sum() - confusion.trace(), confusion.trace()

    assert sum(not row["right"] for row in rows) == min(12, wrong)
    assert sum(row["right"] for row in rows) == min(12, right)
    assert len({row["patient"] for row in rows}) == len(rows)
    for row in rows:
        assert row["right"] == (row["predicted"] == row["label"])
        assert [each["name"] for each in row["members"]] == ["cnn", "probe"]
        assert row["images"] == 2


def test_images_and_labels_are_the_samples_own(built: Built, make: Make) -> None:
    manifest = Manifest.read(built.run.manifest_file)
    pixels = open_array(image_file(make().cluster.cache_folder, manifest, 32))
    table = manifest.table.reset_index().set_index("sample_id")
    for row in _rows(built):
        sample = table.loc[row["sample_id"]]
        assert row["patient"] == sample["patient"]
        assert row["label"] == manifest.classes[sample["label"]]
        assert (row["split"] == "test") == (sample["split"] == "test")
        shown = np.asarray(Image.open(io.BytesIO(row["image"])))
        np.testing.assert_array_equal(shown, pixels[sample["index"]])


def test_the_model_that_looks_never_saw_the_patient(
    built: Built, make: Make, samples: SampleColumns
) -> None:
    name = pq.read_schema(built.run.gallery_file).metadata[b"member"].decode()
    manifest = Manifest.read(built.run.manifest_file)
    pixels = open_array(image_file(make().cluster.cache_folder, manifest, 32))
    member_id = next(row["id"] for row in built.metrics["rows"] if row["name"] == name)
    model = build_classifier(make().recipes[name], samples.classes, pretrained=False)
    for row in _rows(built):
        place = samples.sample_ids.tolist().index(row["sample_id"])
        fold = max(
            0, int(samples.fold[place])
        )  # -1 is the test split, that fold 0's model looks at
        assert row["patient"] not in samples.patients[samples.training_rows(fold)]
        attempt = built.run.member(member_id).completed_fold(fold)
        assert attempt is not None
        load_final(attempt, model)
        asked = torch.tensor([manifest.classes.index(row["predicted"])])
        expected = saliency_maps(model, as_images(pixels[[place]], torch.device("cpu")), asked)[0]
        stored = np.asarray(Image.open(io.BytesIO(row["saliency"])))
        assert stored.shape == expected.shape
        np.testing.assert_allclose(stored / 255, expected, atol=0.01)


def _metrics(losses: dict[str, float], weights: dict[str, float]) -> dict[str, Any]:
    def scores(loss: float) -> dict[str, Any]:
        return {"patient": {"metrics": {"log_loss": {"value": loss}}}}

    rows = [{"name": name, "kind": "member", "oof": scores(loss)} for name, loss in losses.items()]
    stack = {"name": "mean", "kind": "meta-learner", "weights": weights}
    return {"rows": [*rows, stack], "chosen": "mean", "patients_declared": True}


@pytest.mark.parametrize(
    ("weights", "looks"),
    [
        ({"probe": 0.6, "good": 0.2, "poor": 0.2}, "probe"),
        ({"probe": 0.0, "good": 0.0, "poor": 1.0}, "poor"),
        ({"probe": 0.2, "good": 0.4, "poor": 0.4}, "good"),
    ],
)
def test_who_weighs_most_looks_and_of_equals_the_best(
    make: Make, tmp_path: Path, weights: dict[str, float], looks: str
) -> None:
    recipes = make().recipes
    kinds = {"probe": recipes["probe"], "good": recipes["cnn"], "poor": recipes["cnn"]}
    members = [Member(name, kinds[name], MemberFolder(tmp_path, name)) for name in kinds]

    metrics = _metrics({"probe": 0.3, "good": 0.5, "poor": 0.9}, weights)

    assert who_looks(metrics, members).name == looks


def test_the_report_shows_a_card_a_case(built: Built) -> None:
    page = built.run.report_file.read_text()

    rows = _rows(built)
    assert page.count('<li class="card">') == len(rows) > 12
    cards = [part.partition("</li>")[0] for part in page.split('<li class="card">')[1:]]
    assert {card.count('src="data:image/webp;base64,') for card in cards} == {2}


def test_it_is_drawn_again_only_for_other_cases_or_weights_or_when_it_is_gone(
    built: Built, make: Make, copy: Path
) -> None:
    file = copy / "gallery.parquet"
    assert STAGE not in _stages(make(), copy)
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({"about": "other weights"}), file)
    assert STAGE in _stages(make(), copy)
    assert pq.read_table(file).equals(table, check_metadata=True)
    file.write_text("broken")
    assert STAGE in _stages(make(), copy)
    assert pq.read_table(file).equals(table, check_metadata=True)


def test_zero_leaves_it_out_of_the_report_and_of_the_run_folder(make: Make, copy: Path) -> None:
    without = build(make("evaluate.gallery=0"), copy)

    assert without.metrics["gallery"] == []
    assert not (copy / "gallery.parquet").exists()
    page = without.run.report_file.read_text()
    assert 'id="gallery"' not in page
    assert "data:image/webp" not in page
