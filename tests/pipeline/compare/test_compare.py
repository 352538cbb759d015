"""`raymed compare`: what is there is used, what it adds is paired, and a build stays as it was."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from raymed.config import Experiment
from raymed.errors import BuildError, InputError
from raymed.files import complete
from raymed.pipeline.build import Built, build
from raymed.pipeline.compare import Compared, compare, compare_events
from raymed.pipeline.events import Stage, Training
from raymed.runs import RunFolder

Make = Callable[..., Experiment]

SMALL = (
    "ensemble.meta_learners=[mean, greedy]",
    "recipes.mixed={model: hybrid/test_resnet, phases: [{epochs: 3, lr: 2e-3, new_layers: 1}], "
    "hybrid: {embedding_dim: 16, heads: 2, layers: 1}}",
    "compare.transformer=test_vit",
)
SAM = "compare.techniques=[sam]"


@pytest.fixture(scope="module")
def before(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the built run that is compared later on."""
    folder = tmp_path_factory.mktemp("compared") / "run"
    shutil.copytree(built.run.path, folder)
    return folder


@pytest.fixture(scope="module")
def compared(make: Make, before: Path) -> Compared:
    """The tiny experiment with a hybrid of its own, compared where it was built."""
    return compare(make(*SMALL), before)


@pytest.fixture
def again(compared: Compared, tmp_path: Path) -> Iterator[Path]:
    """A copy of the compared run."""
    folder = tmp_path / "run"
    shutil.copytree(compared.run.path, folder)
    yield folder
    shutil.rmtree(folder)


def rows_of(compared: Compared) -> dict[str, dict[str, Any]]:
    return {row["choice"]: row for row in compared.comparison["rows"]}


def markers(run: Path) -> dict[Path, int]:
    """When each fold was finished, by its marker's place in the run."""
    found = sorted(run.glob("**/fold-*/DONE.json"))
    return {path.relative_to(run): path.stat().st_mtime_ns for path in found}


def events_of(experiment: Experiment, run: Path) -> list[Any]:
    return list(compare_events(experiment, run))


def test_every_choice_has_its_row_and_what_is_not_compared_its_reason(compared: Compared) -> None:
    assert list(rows_of(compared)) == [
        *("AdamW", "SAM", "standard"),
        *("test_resnet", "hybrid/test_resnet", "test_vit"),
        *("best single member", "mean", "stack"),
    ]
    left_out = [(each["name"], each["reason"]) for each in compared.comparison["left_out"]]
    assert left_out == [
        ("progressive", "it is for pretrained weights, the recipe starts from random ones")
    ]
    assert compared.failed == {}


def test_a_row_has_every_figure(compared: Compared) -> None:
    rows = rows_of(compared)
    for row in rows.values():
        assert 0 <= row["oof"]["accuracy"]["value"] <= 1
        assert row["oof"]["log_loss"]["low"] < row["oof"]["log_loss"]["high"]
        assert row["test"]["log_loss"]["value"] > 0
        assert row["training_seconds"] > 0
        assert row["milliseconds"]["1"] > 0
        assert (row["gain"] is None) == (row["against"] is None)
    for name in ("SAM", "hybrid/test_resnet", "test_vit"):
        row = rows[name]
        assert 0 <= row["train_accuracy"] <= 1
        assert row["sharpness"]["several_steps"] >= 0
        assert row["peak_bytes"] is None or row["peak_bytes"] > 2**20
        assert 0 < row["gain"]["log_loss"]["p"] <= row["gain"]["log_loss"]["p_holm"] <= 1


def test_members_of_the_build_are_used_and_no_fold_is_trained_twice(
    built: Built, compared: Compared
) -> None:
    own = {row["name"]: row["id"] for row in built.metrics["rows"] if row["kind"] == "member"}
    rows = rows_of(compared)

    assert rows["AdamW"]["members"] == rows["standard"]["members"] == [own["cnn"]]
    assert markers(built.run.path).keys() < markers(compared.run.path).keys()
    stamps = markers(built.run.path)  # copytree keeps times
    assert stamps.items() <= markers(compared.run.path).items()
    assert len(markers(compared.run.path)) == 2 * 5  # cnn, probe, its SAM, mixed, test_vit


def test_both_sides_of_a_gain_predict_the_same_samples(compared: Compared) -> None:
    rows = rows_of(compared)
    samples = [
        pq.read_table(compared.run.member(rows[name]["members"][0]).path / "oof.parquet")
        for name in ("AdamW", "SAM", "test_vit")
    ]

    first, *others = [sorted(table["sample_id"].to_pylist()) for table in samples]
    assert all(other == first for other in others)


def test_an_ensemble_takes_as_long_as_all_its_members(compared: Compared) -> None:
    rows = rows_of(compared)
    trained = [
        complete(path)["seconds"]  # type: ignore[index]
        for path in (compared.run.path / "members").iterdir()
    ]

    assert rows["stack"]["training_seconds"] == pytest.approx(sum(trained))
    assert rows["stack"]["milliseconds"]["32"] > rows["best single member"]["milliseconds"]["32"]


def test_a_comparison_is_complete_on_disk_and_its_table_says_the_same(compared: Compared) -> None:
    folder = compared.run.comparison_folder
    assert complete(folder) is not None
    table = pd.read_csv(folder / "comparison.csv")
    assert table["choice"].tolist() == list(rows_of(compared))
    gain = rows_of(compared)["SAM"]["gain"]["log_loss"]["value"]
    assert table.set_index("choice").loc["SAM", "gain_log_loss_value"] == pytest.approx(gain)
    assert (folder / "comparison.html").stat().st_size > 1000


def test_a_second_comparison_trains_and_measures_nothing(
    make: Make, compared: Compared, again: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in again.rglob("*.json")}

    stages = {event.name for event in events_of(make(*SMALL), again) if isinstance(event, Stage)}

    assert not {"measuring members", "comparing", "timing predictions"} & stages
    after = {path: path.stat().st_mtime_ns for path in before}
    assert {path.name for path in before if before[path] != after[path]} <= {
        "progress.json",
        "audit.json",
    }


def test_a_build_is_not_disturbed(built: Built, make: Make, again: Path) -> None:
    names = ("experiment.yaml", "oof.arrow", "metrics.json", "stack/DONE.json", "report.html")
    for name in names:
        assert (again / name).read_bytes() == (built.run.path / name).read_bytes(), name

    anew = build(make(), again)

    assert anew.metrics == built.metrics
    assert (again / "oof.arrow").read_bytes() == built.run.oof_file.read_bytes()


@pytest.mark.slow
def test_stopped_between_two_folds_it_continues_and_says_the_same(
    built: Built, make: Make, compared: Compared, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(built.run.path, run)
    own = markers(run)
    events = compare_events(make(SAM, "cluster.workers=1"), run, sharpness=False)
    for event in events:
        if isinstance(event, Training) and event.ended:
            events.close()
    done = markers(run)
    assert len(done) == len(own) + 1

    found = compare(make(SAM), run, sharpness=False)

    assert done.items() <= markers(run).items()
    assert list(rows_of(found)) == ["AdamW", "SAM"]
    gains = [rows_of(each)["SAM"]["gain"]["log_loss"] for each in (found, compared)]
    assert gains[0]["value"] == gains[1]["value"]
    assert rows_of(found)["SAM"]["sharpness"] is None


@pytest.mark.slow
def test_further_seeds_have_folds_of_their_own_and_the_same_test_split(
    make: Make, compared: Compared, again: Path
) -> None:
    found = compare(make(SAM, "compare.seeds=2"), again)

    assert found.comparison["seeds"] == [0, 1]
    nested = RunFolder(again / "comparison" / "seed-1")
    folds, others = (pd.read_parquet(each.folds_file) for each in (nested, found.run))
    assert folds["sample_id"].tolist() == others["sample_id"].tolist()
    assert (folds["fold"] != others["fold"]).any()
    assert ((folds["fold"] < 0) == (others["fold"] < 0)).all()
    sam = rows_of(found)["SAM"]
    assert len(set(sam["members"])) == 2
    assert sam["members"][0] == rows_of(compared)["SAM"]["members"][0]


def test_members_that_were_trained_without_each_site_bring_their_accuracy_there(
    make: Make, again: Path
) -> None:
    """As a build leaves them: a run folder inside the run whose folds are the sites."""
    sites = again / "evaluations" / "sites"
    sites.mkdir(parents=True)
    for name in ("members", "manifest.parquet", "folds.parquet"):  # as if folds were sites
        source = again / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, sites / name)

    found = compare(make(*SMALL), again)

    manifest = pd.read_parquet(found.run.manifest_file)
    rows = rows_of(found)
    for name in ("AdamW", "SAM", "test_vit"):
        assert set(rows[name]["sites"]) == set(manifest["site"][manifest["split"] == "train"])
    assert rows["stack"]["sites"] == {}
    patients = manifest[manifest["split"] == "train"].groupby("site")["patient"].nunique()
    right = sum(patients[site] * share for site, share in rows["SAM"]["sites"].items())
    assert right / patients.sum() == pytest.approx(rows["SAM"]["oof"]["accuracy"]["value"])


@pytest.mark.slow
def test_where_every_variant_fails_that_is_said_with_the_reasons(
    make: Make, tmp_path: Path
) -> None:
    wild = "{model: test_vit, optimizer: {clip: null}, phases: [{epochs: 2, lr: 1e30}]}"

    with pytest.raises(BuildError, match=r"nothing is left to compare \(.*loss became"):
        compare(make(f"recipes.wild={wild}", "compare.recipe=wild", SAM), tmp_path / "run")


def test_a_recipe_that_is_not_there_is_refused_with_the_nearest_name(make: Make) -> None:
    with pytest.raises(InputError, match="no recipe is named 'cnm'; did you mean 'cnn'"):
        make("compare.recipe=cnm")


def test_another_experiments_folder_is_refused(make: Make, again: Path) -> None:
    with pytest.raises(InputError, match="belongs to another experiment: there seed is 0, here 5"):
        compare(make("seed=5"), again)
