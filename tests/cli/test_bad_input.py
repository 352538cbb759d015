"""Bad input: a clear message with place, fault, value and remedy; exit code 2; nothing done."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

Call = Callable[..., Any]


def refused(said: Any, *words: str) -> None:
    """Exit code 2, every word in the message, no traceback, nothing on the way."""
    assert said.code == 2, said
    for word in words:
        assert word in said.err, f"{word!r} not in {said.err!r}"
    assert "Traceback" not in said.err + said.out


def build(raymed: Call, config: Path, *overrides: str) -> Any:
    said = raymed("build", config, *overrides, "--run", config.parent / "run")
    assert not list((config.parent / "run").glob("members/*"))
    return said


def test_no_such_configuration(raymed: Call, tmp_path: Path) -> None:
    refused(raymed("build", tmp_path / "no.yaml"), "no.yaml: no such file", "YAML file")


def test_an_unknown_key_is_named_with_a_suggestion(raymed: Call, config: Path) -> None:
    refused(
        build(raymed, config, "recipes.cnn.batchsize=3"),
        "scans.yaml",
        "recipes.cnn.batchsize: unknown field",
        "did you mean 'batch_size'?",
    )


def test_a_source_that_is_not_there(raymed: Call, config: Path) -> None:
    refused(
        build(raymed, config, "data.source=scnas"), "data.source: no such file or folder", "scnas"
    )


def test_patients_that_nobody_declared(raymed: Call, config: Path) -> None:
    refused(build(raymed, config, "data.patients=null"), "data.patients: is missing", "pattern")


def test_a_zero_byte_file(raymed: Call, config: Path, scans: Path) -> None:
    (scans / "sick" / "p1_0.jpg").write_bytes(b"")

    refused(build(raymed, config), "1 of 12 images", "p1_0.jpg: the file is empty", "repair")


def test_a_truncated_jpeg(raymed: Call, config: Path, scans: Path) -> None:
    file = scans / "sick" / "p1_0.jpg"
    file.write_bytes(file.read_bytes()[:-300])

    refused(build(raymed, config), "p1_0.jpg: broken or truncated", "repair or remove")


def test_a_text_named_like_an_image_and_all_faults_at_once(
    raymed: Call, config: Path, scans: Path
) -> None:
    (scans / "sick" / "p1_0.jpg").write_text("hello")
    (scans / "healthy" / "p0_1.jpg").write_bytes(b"")

    refused(build(raymed, config), "2 of 12 images", "p1_0.jpg: no image", "p0_1.jpg: the file is")


def test_an_image_that_a_manifest_names_and_nobody_has(
    raymed: Call, config: Path, scans: Path
) -> None:
    rows = ["image,label,patient"]
    rows += [
        f"{path.relative_to(scans)},{path.parent.name},{path.name[:2]}"
        for path in sorted(scans.rglob("*.jpg"))
    ]
    (scans / "table.csv").write_text("\n".join([*rows, "sick/lost.jpg,sick,p9"]))

    said = build(raymed, config, "data.source=scans/table.csv", "data.patients={column: patient}")

    refused(said, "lost.jpg: no such image")


def test_a_wrong_shape_in_an_npz(raymed: Call, config: Path, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "bad.npz",
        train_images=np.zeros((4, 8, 8, 2), dtype=np.uint8),
        train_labels=np.zeros(4, dtype=int),
    )

    said = build(raymed, config, "data.source=bad.npz", "data.patients=none")

    refused(said, "bad.npz: train_images has shape (4, 8, 8, 2)", "expected [n, height, width]")


def test_a_label_outside_the_classes(raymed: Call, config: Path) -> None:
    refused(
        build(raymed, config, "data.classes=[healthy, sik]"),
        "6 samples have labels outside data.classes: sick",
        "did you mean 'sik'?",
    )


def test_an_empty_class(raymed: Call, config: Path, scans: Path) -> None:
    refused(
        build(raymed, config, "data.classes=[healthy, sick, late]"),
        "no sample has the class late",
        "remove it from data.classes",
    )
    (scans / "late").mkdir()
    refused(build(raymed, config), "late: the class folder holds no image", "fill it")


def test_a_patient_in_two_declared_folds(raymed: Call, config: Path, scans: Path) -> None:
    images = sorted(path.relative_to(scans).as_posix() for path in scans.rglob("*.jpg"))
    rows = [f"{name},{i % 2}" for i, name in enumerate(images)]
    (config.parent / "folds.csv").write_text("\n".join(["file,fold", *rows]))

    said = build(raymed, config, "data.folds={file: folds.csv, column: fold}")

    refused(said, "6 patients are in two folds: p0 in folds [0, 1]", "one fold")


def test_weights_of_another_architecture(raymed: Call, config: Path) -> None:
    import timm

    state = timm.create_model("test_efficientnet").state_dict()
    torch.save(state, config.parent / "other.pth")

    said = build(raymed, config, "recipes.cnn.pretrained={file: other.pth}")

    refused(said, "recipes.cnn", "other.pth", "is not of test_resnet", "give weights of that")


def test_a_weights_file_that_is_not_there(raymed: Call, config: Path) -> None:
    said = build(raymed, config, "recipes.cnn.pretrained={file: lost.pth}")

    refused(said, "recipes.cnn.pretrained.file", "no such file", "lost.pth")


def test_a_model_name_with_a_typo(raymed: Call, config: Path) -> None:
    refused(
        build(raymed, config, "recipes.cnn.model=resnet1a8"),
        "recipes.cnn.model: timm knows no 'resnet1a8'",
        "did you mean 'resnet18'?",
    )


def test_cuda_where_there_is_none(raymed: Call, config: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    refused(build(raymed, config, "cluster.device=cuda"), "cluster.device: cuda is not available")


def test_a_run_folder_of_a_different_experiment(raymed: Call, config: Path, tmp_path: Path) -> None:
    run = tmp_path / "other"
    run.mkdir()
    from raymed.config import read_experiment
    from raymed.runs import RunFolder

    RunFolder(run).write_experiment(read_experiment(config, ["seed=7"]))
    before = (run / "experiment.yaml").read_bytes()

    said = raymed("build", config, "--run", run)

    refused(said, "belongs to another experiment: there seed is 7, here 0", "--run")
    assert (run / "experiment.yaml").read_bytes() == before


def test_a_folder_that_another_build_holds(raymed: Call, config: Path, tmp_path: Path) -> None:
    from raymed.runs import RunFolder

    with RunFolder(tmp_path / "run").lock():
        said = raymed("build", config, "--run", tmp_path / "run")

    refused(said, "another build works on this folder (process", "wait for it")


@pytest.mark.parametrize("verb", ["report", "predict"])
def test_a_folder_that_is_no_run(raymed: Call, tmp_path: Path, scans: Path, verb: str) -> None:
    more = [scans, "-o", tmp_path / "p.csv"] if verb == "predict" else []

    refused(raymed(verb, tmp_path, *more), "is not a run folder", "raymed build")


def test_a_fault_mended_is_no_other_experiment(raymed: Call, config: Path, scans: Path) -> None:
    """What was refused left nothing that would refuse the mended configuration."""
    refused(build(raymed, config, "data.classes=[healthy, sik]"), "outside data.classes")
    refused(build(raymed, config, "recipes.cnn.model=resnet1a8"), "timm knows no")
    (scans / "sick" / "p1_0.jpg").write_bytes(b"")
    refused(build(raymed, config), "the file is empty")

    assert not (config.parent / "run" / "experiment.yaml").exists()


def test_the_real_command_ends_with_code_2_and_one_message(config: Path) -> None:
    command = [str(Path(sys.executable).with_name("raymed")), "build", str(config), "seed=x"]

    said = subprocess.run(command, capture_output=True, text=True, check=False)

    assert said.returncode == 2
    assert said.stderr.startswith("error: ")
    assert "seed: Input should be a valid integer" in said.stderr
    assert "Traceback" not in said.stderr + said.stdout


def test_a_tar_that_was_cut_off(raymed: Call, config: Path, scans: Path) -> None:
    with tarfile.open(config.parent / "scans.tar", "w") as tar:
        tar.add(scans, ".")
    whole = (config.parent / "scans.tar").read_bytes()
    (config.parent / "scans.tar").write_bytes(whole[: len(whole) // 3])

    refused(build(raymed, config, f"data.source={config.parent}/scans.tar"), "is truncated after")


def test_parquet_rows_without_images(raymed: Call, config: Path) -> None:
    path = config.parent / "rows.parquet"
    pq.write_table(pa.table({"image": [b"", None], "label": ["sick", "healthy"]}), path)

    refused(
        build(raymed, config, f"data.source={path}", "data.patients=none"),
        "2 of 2 images",
        "rows.parquet::0: the file is empty",
        "rows.parquet::1: holds no bytes",
    )


def test_a_url_of_a_scheme_that_is_not_read(raymed: Call, config: Path) -> None:
    refused(
        build(raymed, config, "data.source=ftp://ward/scans"), "data.source: ftp:// is not read"
    )


def test_pictures_have_no_dicom_headers(raymed: Call, config: Path, scans: Path) -> None:
    from raymed.config import read_experiment
    from raymed.runs import RunFolder

    run = RunFolder.at(config.parent / "run")
    run.write_experiment(read_experiment(config))
    more = ["-o", config.parent / "p.csv", "--patient-dicom", "PatientID"]

    refused(raymed("predict", run.path, scans, *more), "12 images are no DICOM files")


def test_a_run_folder_that_cannot_be_written(raymed: Call, config: Path) -> None:
    (config.parent / "file").touch()

    said = raymed("build", config, "--run", config.parent / "file" / "run")

    refused(said, "file/run: cannot be written to (Not a directory)", "another folder with --run")
