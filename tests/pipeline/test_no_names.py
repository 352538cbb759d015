"""Nothing that identifies a patient leaves a DICOM file."""

from pathlib import Path

import numpy as np
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from raymed.config import Experiment, parse_experiment
from raymed.pipeline.build import build
from raymed.predict import load_stack
from tests.data.pixels.scans import write_dicom

PLANTED = {
    "PatientName": "Zyxwv^Quentina",
    "PatientID": "MRN-{}-90817263",
    "OtherPatientIDs": "ALT-{}-5551212",
    "PatientBirthDate": "19330517",
    "PatientAddress": "12 Nowhere Lane",
    "ReferringPhysicianName": "Drwho^Ida",
    "InstitutionName": "Saint Elsewhere",
    "StationName": "BASEMENT-SCANNER",
    "AccessionNumber": "ACCESSION-{}",
    "StudyDescription": "follow-up of Quentina",
    "StudyInstanceUID": "1.2.826.0.1.3680043.424242.{}",
}
TRACES = (
    "zyxwv",
    "quentina",
    "90817263",
    "5551212",
    "19330517",
    "nowhere lane",
    "drwho",
    "saint elsewhere",
    "basement-scanner",
    "accession-",
    "3680043.424242",
)


@pytest.fixture
def ward(tmp_path: Path) -> Experiment:
    """Eight patients with two slices each, of two classes, one of them dark."""
    rng = np.random.default_rng(0)
    for patient in range(8):
        label = ("early", "late")[patient % 2]
        for image in range(2):
            pixels = rng.integers(0, 2000, (32, 32), dtype=np.uint16)
            pixels[8:24, 8:24] += 2000 * (patient % 2)
            said = {name: value.format(patient) for name, value in PLANTED.items()}
            write_dicom(tmp_path / "ward" / label / f"{patient}-{image}.dcm", pixels, **said)
    settings = {
        "name": "ward",
        "data": {"source": "ward", "patients": {"dicom": "PatientID"}, "folds": 2},
        "recipes": {
            "cnn": {
                "model": "test_resnet",
                "pretrained": "none",
                "size": 32,
                "phases": [{"epochs": 2, "lr": 2e-3}],
            }
        },
        "evaluate": {"draws": 100, "gallery": 2},
        "cluster": {"workers": 1, "device": "cpu", "cache": str(tmp_path / "cache")},
    }
    return parse_experiment(settings, tmp_path, "ward.yaml")


def text_of(path: Path) -> str:
    """Everything a file says, tables unpacked."""
    said = path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        said += str(table.to_pylist()) + str(table.schema.metadata)
    if path.suffix == ".arrow":
        with pyarrow.ipc.open_file(path) as file:
            said += str(file.read_all().to_pylist()) + str(file.schema.metadata)
    return said.lower()


@pytest.mark.slow
def test_no_file_of_a_build_holds_what_identifies_a_patient(
    ward: Experiment, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    built = build(ward, tmp_path / "run")
    source = tmp_path / "ward/late/1-0.dcm"
    table = load_stack(built.run.path).predict([source])
    files = [path for name in ("run", "cache") for path in (tmp_path / name).rglob("*")]
    said = {str(path): text_of(path) for path in files if path.is_file()}
    printed = capfd.readouterr()
    said |= {"output": (printed.out + printed.err).lower(), "predictions": table.to_csv().lower()}

    found = [(path, trace) for path, text in said.items() for trace in TRACES if trace in text]

    assert found == []
    assert any(path.endswith(".arrow") for path in said)
    assert any(path.endswith("report.html") for path in said)
    planted = source.read_bytes().decode("latin-1").lower()
    assert [trace for trace in TRACES if trace not in planted] == []
    assert "magnets m1" in said[str(built.run.manifest_file)]  # the site may be told
