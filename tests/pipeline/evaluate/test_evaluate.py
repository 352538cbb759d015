"""An external test set is scored by the stack as it stands; one that is none is refused."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss

import raymed
from raymed.data import Manifest
from raymed.data.phantom import STAGES
from raymed.errors import InputError
from raymed.files import read_json
from raymed.pipeline.build import Built
from raymed.pipeline.evaluate import Evaluated, evaluate, evaluate_events
from raymed.pipeline.events import Stage

Hospital = Callable[..., Path]


@pytest.fixture(scope="module")
def run(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny run, for its evaluations."""
    copy = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(built.run.path, copy)
    return copy


@pytest.fixture
def hospital(run: Path, tmp_path: Path) -> Hospital:
    """Write a manifest that sends samples of the run out again, under other patients' names."""

    def write(
        split: str = "test", prefix: str = "new-", name: str = "hospital", **columns: Sequence[str]
    ) -> Path:
        table = Manifest.read(run / "manifest.parquet").table
        kept = table[table["split"] == split]
        sent = pd.DataFrame(
            {
                "image": kept["image"],
                "label": [STAGES[label] for label in kept["label"]],
                "patient": prefix + kept["patient"],
            }
        )
        sent.assign(**columns).to_csv(tmp_path / f"{name}.csv", index=False)
        return tmp_path / f"{name}.csv"

    return write


@pytest.fixture(scope="module")
def evaluated(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """The run's own test split, evaluated as if it came from elsewhere."""
    table = Manifest.read(run / "manifest.parquet").table
    sent = table[table["split"] == "test"][["image", "label", "patient"]]
    file = tmp_path_factory.mktemp("elsewhere") / "elsewhere.csv"
    labels = [STAGES[label] for label in sent["label"]]  # the names, in the run's order
    sent.assign(label=labels, patient="new-" + sent["patient"]).to_csv(file, index=False)
    return evaluate(run, file)


def _stages(run: Path, source: Path, **options: Any) -> list[str]:
    """Evaluate; the stages gone through, each once."""
    events = evaluate_events(run, source, **options)
    return list(dict.fromkeys(event.name for event in events if isinstance(event, Stage)))


def test_the_test_split_from_elsewhere_gives_the_figures_it_has_in_the_build(
    evaluated: Evaluated, built: Built
) -> None:
    own = {(row["kind"], row["name"]): row for row in built.metrics["rows"]}

    assert [row["name"] for row in evaluated.metrics["rows"]] == [
        "class prior",
        "cnn",
        "probe",
        built.metrics["chosen"],
    ]
    for row in evaluated.metrics["rows"]:
        expected = own[row["kind"], row["name"]]["test"]
        for level in ("image", "patient"):
            for name, figure in row["scores"][level]["metrics"].items():
                assert figure == pytest.approx(expected[level]["metrics"][name], abs=1e-5), name
    for level, coverage in evaluated.metrics["conformal"].items():
        expected = built.metrics["conformal"][level]["test"]
        assert coverage["test"]["coverage"] == pytest.approx(expected["coverage"])
        assert coverage["test"]["size"] == pytest.approx(expected["size"])


def test_a_members_figures_are_those_of_its_fold_models_mean_softmax(evaluated: Evaluated) -> None:
    table = pq.read_table(evaluated.folder / "predictions.parquet").to_pandas()
    rows = {row["name"]: row["scores"]["image"]["metrics"] for row in evaluated.metrics["rows"]}

    for name in ("cnn", "probe"):
        logits = np.array([np.stack(each) for each in table[f"logits of {name}"]])
        mean = softmax(logits.astype(np.float64), axis=2).mean(axis=1)  # [samples, folds, classes]
        by_hand = log_loss(table["label"], mean, labels=range(len(STAGES)))
        assert rows[name]["log_loss"]["value"] == pytest.approx(by_hand)
        right = accuracy_score(table["label"], mean.argmax(axis=1))
        assert rows[name]["accuracy"]["value"] == pytest.approx(right)


def test_the_stack_says_what_predict_says(evaluated: Evaluated) -> None:
    table = pq.read_table(evaluated.folder / "predictions.parquet").to_pandas()
    manifest = Manifest.read(evaluated.folder / "manifest.parquet").table

    said = raymed.load_stack(evaluated.run.path).predict(manifest["image"].tolist())

    columns = [f"probability_{name}" for name in STAGES]
    np.testing.assert_allclose(np.stack(table["probabilities"]), said[columns], atol=1e-6)


def test_the_stack_meets_the_member_that_was_best_out_of_fold(
    evaluated: Evaluated, built: Built
) -> None:
    losses = {
        row["name"]: row["oof"]["patient"]["metrics"]["log_loss"]["value"]
        for row in built.metrics["rows"]
        if row["kind"] == "member"
    }
    here = {
        row["name"]: row["scores"]["patient"]["metrics"]["log_loss"]["value"]
        for row in evaluated.metrics["rows"]
    }
    best = min(losses, key=losses.__getitem__)

    found = evaluated.metrics["comparison"]

    assert f"'{best}'" in found["title"]
    stack = here[evaluated.metrics["chosen"]]
    assert found["difference"]["value"] == pytest.approx(stack - here[best])


def test_the_report_tells_of_it(evaluated: Evaluated) -> None:
    page = evaluated.run.report_file.read_text(encoding="utf-8")

    section = page.partition('<section id="external">')[2].partition("</section>")[0]
    assert "elsewhere" in section
    assert "8 images of 4 patients" in section
    assert "Patient level, elsewhere" in section
    assert "out of fold" in section
    assert "not independent" not in section


def test_again_does_nothing_anew(evaluated: Evaluated) -> None:
    files = [evaluated.folder / name for name in ("metrics.json", "predictions.parquet")]
    before = [file.stat().st_mtime_ns for file in files]

    stages = _stages(evaluated.run.path, Path(evaluated.metrics["source"]))

    assert stages == [
        "loading the stack",
        "reading the test set",
        "looking into files",
        "opening every image",
        "writing the report",
    ]
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_member_tells_how_far_it_is_to_the_end(run: Path, hospital: Hospital) -> None:
    events = evaluate_events(run, hospital(name="told"))

    told = [event for event in events if isinstance(event, Stage) and "predicting" in event.name]

    # 8 images in one batch: two fold models, and for the probe its features before
    assert [(event.done, event.total) for event in told] == [
        (8, 16),
        (16, 16),
        (8, 24),
        (16, 24),
        (24, 24),
    ]


def test_a_stopped_evaluation_goes_on_with_the_next_member(
    run: Path, hospital: Hospital, evaluated: Evaluated
) -> None:
    source = hospital(name="stopped")
    events = evaluate_events(run, source)
    for event in events:
        if isinstance(event, Stage) and event.name == "predicting member probe":
            break
    events.close()
    assert not (run / "evaluations" / "stopped" / "DONE.json").exists()

    stages = _stages(run, source)

    assert "predicting member cnn" not in stages
    assert "predicting member probe" in stages
    found = read_json(run / "evaluations" / "stopped" / "metrics.json")
    assert found["rows"] == evaluated.metrics["rows"]


def test_harmed_predictions_are_made_again(run: Path, hospital: Hospital) -> None:
    source = hospital(name="harmed")
    evaluate(run, source)
    (run / "evaluations" / "harmed" / "predictions.parquet").write_bytes(b"PAR1")

    stages = _stages(run, source)

    assert "predicting member cnn" in stages
    assert "predicting member cnn" not in _stages(run, source)


def test_patients_of_the_run_are_refused_and_marked_when_told(
    run: Path, hospital: Hospital
) -> None:
    source = hospital(prefix="", name="own")
    with pytest.raises(
        InputError, match=r"own.csv: shares 4 patients of the run's own test split \(.*rename"
    ):
        evaluate(run, source)
    assert not (run / "evaluations" / "own").exists()

    found = evaluate(run, source, shared_patients=True)

    assert not found.metrics["independent"]
    assert "Not independent: it shares 4 patients" in found.metrics["doubts"][0]
    page = found.run.report_file.read_text(encoding="utf-8")
    assert '<span class="pill warning">not independent</span>' in page
    shutil.rmtree(found.folder)


def test_images_of_training_are_refused_under_any_name(run: Path, hospital: Hospital) -> None:
    source = hospital(split="train", name="renamed")

    with pytest.raises(InputError, match=r"shares 32 images, byte for byte, of training"):
        evaluate(run, source)


def test_patients_that_nobody_declared_are_a_doubt(run: Path, hospital: Hospital) -> None:
    found = evaluate(run, hospital(name="undeclared"), ["data.patients=none"])

    assert found.metrics["independent"]  # nothing is known to be shared
    assert "the external test set are not declared" in found.metrics["doubts"][0]
    assert list(found.metrics["rows"][0]["scores"]) == ["image"]
    page = found.run.report_file.read_text(encoding="utf-8")
    assert "independence not shown" in page
    shutil.rmtree(found.folder)


def test_columns_of_another_name_are_read_when_told(run: Path, hospital: Hospital) -> None:
    file = hospital(name="columns")
    pd.read_csv(file).rename(columns={"patient": "subject", "label": "stage"}).to_csv(file)
    with pytest.raises(InputError, match="has no column 'label'"):
        evaluate(run, file)
    with pytest.raises(InputError, match="has no column 'patient'"):
        evaluate(run, file, ["data.label_column=stage"])

    found = evaluate(run, file, ["data.label_column=stage", "data.patients.column=subject"])

    assert found.metrics["patients"] == 4


@pytest.mark.parametrize("override", ["seed=3", "data.classes=[a, b]", "data.patient.column=x"])
def test_only_where_columns_lie_can_be_changed(
    run: Path, hospital: Hospital, override: str
) -> None:
    with pytest.raises(InputError, match="cannot be changed in an evaluation"):
        evaluate(run, hospital(), [override])


def test_a_class_that_the_run_does_not_have_is_refused(run: Path, hospital: Hospital) -> None:
    source = hospital(label=["glioma"] * 8)

    with pytest.raises(InputError, match=r"8 samples have labels outside .*glioma; classes are"):
        evaluate(run, source)


def test_one_class_alone_leaves_figures_undefined_not_broken(run: Path, hospital: Hospital) -> None:
    file = hospital(name="one")
    table = pd.read_csv(file)
    table[table["label"] == STAGES[2]].to_csv(file, index=False)

    found = evaluate(run, file)

    stack = found.metrics["rows"][-1]["scores"]["image"]
    assert stack["metrics"]["auroc"]["value"] is None
    assert stack["metrics"]["log_loss"]["value"] > 0
    assert [sum(row) for row in stack["confusion"]] == [0, 0, 2, 0]  # the run's class order


def test_a_name_holds_one_evaluation(run: Path, hospital: Hospital, evaluated: Evaluated) -> None:
    file = hospital(name="other")
    pd.read_csv(file).iloc[:6].to_csv(file, index=False)

    with pytest.raises(InputError, match="elsewhere: holds the evaluation of other samples"):
        evaluate(run, file, name="elsewhere")
    with pytest.raises(InputError, match="--name a/b: cannot name a folder"):
        evaluate(run, file, name="a/b")


def test_images_that_cannot_be_read_are_refused(
    run: Path, hospital: Hospital, tmp_path: Path
) -> None:
    broken = [f"broken{place}.png" for place in range(8)]
    for name in broken:
        (tmp_path / name).write_bytes(b"")

    with pytest.raises(InputError, match=r"8 of 8 images: cannot be used: .*broken0.png: the file"):
        evaluate(run, hospital(image=broken))


def test_a_source_that_is_not_there_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lost.csv: no such file or folder; give class folders"):
        evaluate(run, tmp_path / "lost.csv")


def test_a_run_without_stack_or_member_is_refused(
    built: Built, hospital: Hospital, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(built.run.path, copy)
    shutil.rmtree(next((copy / "members").iterdir()))
    with pytest.raises(InputError, match=r"member \w+, fold 0: is missing or harmed"):
        evaluate(copy, hospital())
    shutil.rmtree(copy / "stack")
    with pytest.raises(InputError, match="holds no complete stack; run raymed build again"):
        evaluate(copy, hospital())
    assert not (copy / "evaluations").exists()
