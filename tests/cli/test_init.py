"""`raymed init`: what it writes builds as it stands, wherever it lies, and says why so."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom.data
import pytest
import yaml
from huggingface_hub import constants
from PIL import Image
from rich.console import Console

from raymed.cli.initializing import ask
from raymed.config import Experiment, read_experiment
from raymed.data.phantom import STAGES, draw_phantoms, write_phantoms
from raymed.data.proposal import ClassOrder, PatientsGuess, Proposal
from raymed.pipeline.build import Built, build
from raymed.pipeline.proposing import Wishes
from tests.data.pixels.scans import write_nifti

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub is asked, and run folders lie in a folder of the test's own."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)


def write_people(folder: Path, people: int, slices: int, form: str) -> Path:
    """Write phantoms' slices by a form of path; names say nothing of people unless it does."""
    drawn = draw_phantoms(people, slices, 64)
    for row, image in enumerate(drawn.images):
        stage, who = STAGES[drawn.labels[row]], drawn.patients[row]
        path = folder / form.format(stage=stage, row=row, who=who)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of the slices of people whom nothing names."""
    return write_people(tmp_path_factory.mktemp("ward"), 24, 4, "images/{stage}/{row}.png")


def checks(raymed: Call, file: Path, *arguments: str) -> Experiment:
    """See that `raymed check` finds nothing that would stop a build; returns the experiment."""
    said = raymed("check", file, "--run", file.parent / "run", *arguments)
    assert said.code == 0, said
    return read_experiment(file)


@pytest.mark.parametrize("where", ["near.yaml", "far/away/from/there/far.yaml"])
def test_hidden_people_become_the_patients_with_a_warning_that_counts_them(
    raymed: Call, slices: Path, tmp_path: Path, where: str
) -> None:
    said = raymed("init", slices, "--yes", "-o", where)

    assert said.code == 0, said
    assert "warning: 24 people stand behind all the 96 images" in said.out
    written = (tmp_path / where).read_text()
    assert "# WARNING: nothing tells whose the images are" in written
    assert "24 people stand behind all the 96 images" in " ".join(written.split()).replace(
        " # ", " "
    )
    made = checks(raymed, tmp_path / where)
    assert made.data.patients is not None
    assert made.data.patients.recovered
    assert made.data.source == slices / "images"
    assert (made.data.classes, made.data.ordinal) == (STAGES, True)
    assert made.data.binary is not None
    assert made.data.binary.positive == STAGES[1:]
    assert made.data.acknowledge == ()


def test_where_nobody_is_found_that_is_acknowledged_and_explained(
    raymed: Call, tmp_path: Path
) -> None:
    write_people(tmp_path / "scans", 44, 1, "{stage}/{row}.png")

    said = raymed("init", "scans")  # not on a terminal: asks nothing

    assert said.code == 0, said
    assert "acknowledged, so that it builds: patients-not-declared" in said.out
    made = checks(raymed, tmp_path / "scans.yaml")
    assert made.data.patients is not None
    assert (made.data.patients.known, made.data.patients.recovered) == (False, False)
    assert made.data.acknowledge == ("patients-not-declared",)
    written = (tmp_path / "scans.yaml").read_text()
    assert "leakage between folds is not excluded" in " ".join(written.split()).replace("# ", "")


def test_a_manifest_and_its_patients_are_taken(raymed: Call, tmp_path: Path) -> None:
    write_phantoms(tmp_path / "phantom", patients=12, slices=2, size=32)

    said = raymed("init", "phantom", "--yes", "--name", "toy", "-o", "toy.yaml")

    assert said.code == 0, said
    made = checks(raymed, tmp_path / "toy.yaml")
    assert (made.name, made.data.source) == ("toy", tmp_path / "phantom" / "manifest.csv")
    assert made.data.patients is not None
    assert made.data.patients.column == "patient"
    assert "source: phantom/manifest.csv" in (tmp_path / "toy.yaml").read_text()


def test_folders_of_patients_get_a_manifest_beside_the_configuration(
    raymed: Call, tmp_path: Path
) -> None:
    write_people(tmp_path / "ward", 12, 2, "{who}/{stage}/{row}.png")

    said = raymed("init", "ward", "--yes", "-o", "made/it.yaml")

    assert said.code == 0, said
    made = checks(raymed, tmp_path / "made" / "it.yaml")
    assert made.data.source == tmp_path / "made" / "it.manifest.csv"
    assert pd.read_csv(made.data.source)["patient"].nunique() == 12
    assert made.data.root == tmp_path / "ward"
    shutil.move(tmp_path / "made", tmp_path / "moved")  # relative paths move along
    checks(raymed, tmp_path / "moved" / "it.yaml", "--output", "a.json")


def test_volumes_with_a_table_are_cut_in_the_middle(raymed: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(10):
        voxels = rng.integers(0, 2000, (20, 20, 8), dtype=np.int16)
        write_nifti(tmp_path / "scans" / f"sub-{number:02}_T1w.nii.gz", voxels)
    who = [f"sub-{number:02}" for number in range(10)]
    table = pd.DataFrame({"participant_id": who, "diagnosis": ["CN", "AD"] * 5})
    table.to_csv(tmp_path / "scans" / "participants.tsv", sep="\t", index=False)

    said = raymed("init", "scans", "--yes", "-o", "volumes.yaml")

    assert said.code == 0, said
    made = checks(raymed, tmp_path / "volumes.yaml")
    assert made.data.slices.between == (0.25, 0.75)
    assert made.data.classes == ("CN", "AD")
    assert made.data.patients is not None
    assert made.data.patients.column == "patient"


def test_dicom_of_pydicom_itself_in_class_folders(raymed: Call, tmp_path: Path) -> None:
    names = (
        "CT_small.dcm",
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "image_dfl.dcm",
        "examples_rgb_color.dcm",
    )
    for name in names:
        found = pydicom.data.get_testdata_file(name, download=False)
        assert found is not None
        for number in (1, 2):
            target = tmp_path / "scans" / ("odd" if number % 2 else "even") / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, target)

    said = raymed("init", "scans", "--yes", "-o", "dicom.yaml")

    assert said.code == 0, said
    made = checks(raymed, tmp_path / "dicom.yaml")
    assert "contradictory-copies" in made.data.acknowledge  # each stands in both classes


def test_images_that_cannot_be_used_are_left_out_and_said(raymed: Call, tmp_path: Path) -> None:
    write_people(tmp_path / "scans", 20, 1, "{stage}/{row}.png")
    (tmp_path / "scans" / "none" / "broken.png").write_bytes(b"no image")

    said = raymed("init", "scans", "--yes")

    assert said.code == 0, said
    assert "1 of 21 images are left out" in said.out
    assert checks(raymed, tmp_path / "scans.yaml").data.on_error == "skip"


def test_a_source_that_is_mostly_broken_is_refused(raymed: Call, tmp_path: Path) -> None:
    write_people(tmp_path / "scans", 8, 1, "{stage}/{row}.png")
    for number in range(4):
        (tmp_path / "scans" / "none" / f"broken{number}.png").write_bytes(b"no image")

    said = raymed("init", "scans", "--yes")

    assert said.code == 2, said
    assert "4 of 12 images cannot be used" in said.err
    assert not (tmp_path / "scans.yaml").exists()


@pytest.mark.parametrize(
    ("source", "fault"),
    [("nowhere", "no such file or folder"), (".", "no image lies in this folder: it is empty")],
)
def test_what_cannot_be_read_ends_with_exit_code_2(raymed: Call, source: str, fault: str) -> None:
    said = raymed("init", source, "--yes")

    assert said.code == 2, said
    assert fault in said.err


def test_a_file_that_is_there_is_kept_without_force(raymed: Call, tmp_path: Path) -> None:
    write_people(tmp_path / "scans", 20, 1, "{stage}/{row}.png")
    (tmp_path / "mine.yaml").write_text("mine")

    said = raymed("init", "scans", "--yes", "-o", "mine.yaml")

    assert said.code == 2, said
    assert "is there already; name another, or give --force" in said.err
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert raymed("init", "scans", "--yes", "-o", "mine.yaml", "--force").code == 0
    assert checks(raymed, tmp_path / "mine.yaml").name == "scans"


def answered(monkeypatch: pytest.MonkeyPatch, proposal: Proposal, *answers: str) -> Wishes:
    """Ask about a proposal; an answer a question, and none is left."""
    left = list(answers)
    monkeypatch.setattr("builtins.input", lambda prompt="": left.pop(0))
    guess = proposal.patients
    wishes = Wishes("brain", proposal.order, None if guess is None else guess.setting)
    said = ask(proposal, wishes, Console(file=io.StringIO()))
    assert left == []
    return said


STAGED = ClassOrder(("none", "mild", "severe"), True, "words of severity", "none")
GUESS = PatientsGuess({"column": "who"}, "3 patients")


def test_enter_takes_what_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = Proposal("class folders", Path("x"), STAGED, GUESS)

    assert answered(monkeypatch, proposal, *[""] * 4) == Wishes("brain", STAGED, GUESS.setting)


def test_answers_change_name_order_and_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = Proposal("class folders", Path("x"), STAGED, GUESS)

    said = answered(monkeypatch, proposal, "study", "1 1 3", "3, 2, 1", "n", "n", "")

    assert (said.name, said.patients) == ("study", None)
    assert said.order == ClassOrder(("severe", "mild", "none"), False, "as you said", "none")


def test_two_classes_are_not_asked_for_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    order = ClassOrder(("a", "b"), False, "sorted by name")
    said = answered(monkeypatch, Proposal("npz", Path("x"), order), "", "2 1", "")

    assert (said.order.classes, said.patients) == (("b", "a"), None)


@pytest.mark.parametrize(
    ("answers", "patients"),
    [
        (["who"], {"column": "who"}),
        (["(p[0-9", "p([0-9])([0-9])", "(p[0-9]+)_"], {"pattern": "(p[0-9]+)_"}),
    ],
)
def test_patients_may_be_said_as_a_column_or_a_pattern(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], patients: dict[str, str]
) -> None:
    order = ClassOrder(("a", "b"), False, "sorted by name")

    said = answered(monkeypatch, Proposal("npz", Path("x"), order), "", "", *answers)

    assert said.patients == patients


@pytest.mark.slow
def test_what_is_written_builds_without_editing(raymed: Call, slices: Path, tmp_path: Path) -> None:
    assert raymed("init", slices, "--yes", "-o", "deep/down/a.yaml").code == 0
    content = yaml.safe_load((tmp_path / "deep" / "down" / "a.yaml").read_text())
    short = [f"recipes.{name}.phases=[{{epochs: 1, lr: 1e-3}}]" for name in content["recipes"]]

    made = read_experiment(tmp_path / "deep" / "down" / "a.yaml", [*short, "evaluate.draws=100"])
    built: Built = build(made, tmp_path / "run")

    assert built.failed == {}
    assert built.run.report_file.is_file()
