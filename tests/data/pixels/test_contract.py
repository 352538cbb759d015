"""A reader is chosen by what a file is, and loaded when it is needed."""

import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from raymed.config import AS_FILES_SAY, Slices
from raymed.data.pixels import join_reference, kind_of_file, open_file, split_reference
from raymed.data.pixels.contract import numbered_frames
from raymed.errors import InputError
from tests.data.pixels.scans import write_dicom, write_nifti


@pytest.mark.parametrize(
    ("reference", "path", "frame"),
    [
        ("a/b.png", "a/b.png", ""),
        ("a/b.dcm::007", "a/b.dcm", "007"),
        ("v.nii.gz::axial/12", "v.nii.gz", "axial/12"),
        ("set.npz::train_images/3", "set.npz", "train_images/3"),
        ("odd::name.png", "odd::name.png", ""),
        ("odd::name.tif::2", "odd::name.tif", "2"),
    ],
)
def test_a_reference_is_a_path_and_a_place_in_it(reference: str, path: str, frame: str) -> None:
    assert split_reference(reference) == (path, frame)
    assert join_reference(path, frame) == reference


def test_numbers_of_frames_sort_as_text() -> None:
    assert numbered_frames(1) == ("",)
    assert list(numbered_frames(120)) == sorted(numbered_frames(120))


def test_content_tells_the_kind_where_the_name_does_not(tmp_path: Path) -> None:
    dicom = write_dicom(tmp_path / "a.dcm", np.zeros((4, 4), np.uint16))
    volume = write_nifti(tmp_path / "b.nii", np.zeros((4, 4, 4), np.int16))
    Image.new("L", (4, 4)).save(tmp_path / "c.png")
    for path, kind in ((dicom, "DICOM"), (volume, "NIfTI"), (tmp_path / "c.png", "picture")):
        plain = path.rename(tmp_path / f"no-suffix-{kind}")
        assert kind_of_file(str(plain)) == kind


def test_readers_are_loaded_when_they_are_needed(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    code = (
        "import sys, raymed.data\n"
        "from raymed.data.images import inspect_images\n"
        f"assert next(inspect_images([{str(tmp_path / 'a.png')!r}])).fault is None\n"
        "print([n for n in ('pydicom', 'nibabel', 'imagecodecs', 'openpyxl') if n in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


@pytest.mark.parametrize("name", ["a.dcm", "a.nii", "a.nii.gz", "a.tif", "a.png", "stained.tif"])
def test_a_damaged_file_is_a_fault_or_an_image_and_never_a_crash(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(len(name))
    path, pixels = tmp_path / name, rng.integers(0, 4096, (8, 8), dtype=np.uint16)
    if name.endswith("dcm"):
        write_dicom(path, pixels, WindowCenter=5, WindowWidth=9)
    elif "nii" in name:
        write_nifti(path, rng.integers(0, 4096, (8, 8, 8)).astype(np.int16))
    elif name == "stained.tif":
        path.write_bytes(imagecodecs.tiff_encode(np.stack([pixels] * 3, axis=-1)))
    else:
        Image.fromarray(pixels).save(path)
    whole, places = path.read_bytes(), []
    for number in range(60):
        damaged = bytearray(whole)
        if number % 3:
            for place in rng.integers(0, min(len(whole), 900), number % 5 + 1):
                damaged[place] = rng.integers(0, 256)
        else:
            del damaged[rng.integers(0, len(whole)) :]
        path.write_bytes(damaged)
        try:
            file = open_file(str(path))
            frames = file.frames(Slices())
            file.facts()
            assert file.read(frames[-1], AS_FILES_SAY).image.size > (0, 0)
        except InputError as fault:
            places.append(fault.place)
    assert all(place.startswith(str(path)) for place in places)
    assert places
