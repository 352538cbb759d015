"""DICOM is shown as a viewer shows it, and what cannot be shown is named."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

from raymed.config import Intensity, Slices
from raymed.data.images import inspect_images
from raymed.data.pixels import open_file
from raymed.errors import InputError
from tests.data.pixels.scans import write_dicom

STEPS = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)


def sample(name: str) -> str:
    """A file that pydicom's wheel ships."""
    return str(get_testdata_file(name, download=False))


def test_a_window_is_applied_after_the_rescale(tmp_path: Path, shown) -> None:
    # Hounsfield units -1024 .. 3008; the window shows those from -160 to 240.
    path = write_dicom(
        tmp_path / "ct.dcm",
        STEPS,
        RescaleSlope=1,
        RescaleIntercept=-1024,
        WindowCenter=[40, 400],
        WindowWidth=[400, 1500],
    )
    units = STEPS.astype(float) - 1024
    expected = np.clip((units - (40 - 0.5)) / (400 - 1) + 0.5, 0, 1)  # PS3.3 C.11.2.1.2.1
    assert np.abs(shown(path) - 255 * expected).max() <= 0.5


def test_monochrome1_is_inverted(tmp_path: Path, shown) -> None:
    light = write_dicom(tmp_path / "2.dcm", STEPS, WindowCenter=2048, WindowWidth=4096)
    dark = write_dicom(
        tmp_path / "1.dcm",
        STEPS,
        WindowCenter=2048,
        WindowWidth=4096,
        PhotometricInterpretation="MONOCHROME1",
    )
    assert shown(light)[0, 0] == 0
    assert np.array_equal(shown(dark), 255 - shown(light))


def test_without_a_window_percentiles_are_the_limits(tmp_path: Path, shown) -> None:
    path = write_dicom(tmp_path / "mr.dcm", STEPS)
    low, high = np.percentile(STEPS, (0.5, 99.5))
    assert np.abs(shown(path) - 255 * np.clip((STEPS - low) / (high - low), 0, 1)).max() <= 0.5


def test_padding_takes_no_part_in_percentiles(tmp_path: Path, shown) -> None:
    padded = STEPS.copy()
    padded[0] = 60000
    known = padded[1:]
    path = write_dicom(
        tmp_path / "mr.dcm", padded, BitsStored=16, HighBit=15, PixelPaddingValue=60000
    )
    low, high = np.percentile(known, (0.5, 99.5))
    assert np.abs(shown(path)[1:] - 255 * np.clip((known - low) / (high - low), 0, 1)).max() <= 0.5


@pytest.mark.parametrize("width", [0, "", None])
def test_a_window_without_a_width_is_none(tmp_path: Path, shown, width: Any) -> None:
    plain = write_dicom(tmp_path / "plain.dcm", STEPS)
    path = write_dicom(tmp_path / "mr.dcm", STEPS, WindowCenter=5, WindowWidth=width)
    assert np.array_equal(shown(path), shown(plain))


def test_the_configurations_window_comes_before_the_files_own(tmp_path: Path, shown) -> None:
    path = write_dicom(
        tmp_path / "ct.dcm",
        STEPS,
        RescaleSlope=2,
        RescaleIntercept=-100,
        WindowCenter=40,
        WindowWidth=9,
    )
    units = 2 * STEPS.astype(float) - 100
    pixels = shown(path, rule=Intensity(window=(1000, 2000)))
    assert np.abs(pixels - 255 * np.clip(units / 2000, 0, 1)).max() <= 0.5


def test_a_table_for_the_window_is_looked_up(tmp_path: Path, shown) -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    upside_down = (np.arange(4096)[::-1] * 16).astype("<u2")  # 65520 .. 0
    table.add_new("LUTData", "OW", upside_down.tobytes())
    path = write_dicom(tmp_path / "dx.dcm", STEPS, VOILUTSequence=[table])
    assert np.abs(shown(path) - 255 * (4095 - STEPS.astype(float)) * 16 / 65535).max() <= 0.5


def test_each_frame_has_its_own_rescale_and_window(tmp_path: Path, shown, frames_of) -> None:
    frames = np.stack([STEPS, STEPS])
    groups = []
    for slope in (1, 2):
        values, window, group = Dataset(), Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept = slope, 0
        window.WindowCenter, window.WindowWidth = 2048, 4096
        group.PixelValueTransformationSequence = [values]
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    path = write_dicom(tmp_path / "mf.dcm", frames, PerFrameFunctionalGroupsSequence=groups)
    assert frames_of(path) == ("0", "1")
    once, twice = shown(path, "0").astype(float), shown(path, "1").astype(float)
    assert np.abs(np.clip(2 * once, 0, 255) - twice).max() <= 1.5


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm"])
def test_pydicoms_samples_are_shown_as_pydicom_says(shown, name: str) -> None:
    held = pydicom.dcmread(sample(name))
    values = apply_modality_lut(pixel_array(held), held)
    if "WindowWidth" in held:
        values = apply_voi_lut(values, held)
        ends = np.array([-1e9, 1e9])
        low, high = apply_voi_lut(ends, held)
    else:
        low, high = np.percentile(values, (0.5, 99.5))
    expected = 255 * np.clip((values - low) / (high - low), 0, 1)
    assert np.abs(shown(sample(name)) - expected).max() <= 0.5 + 1e-6


def test_one_picture_in_six_encodings_is_one_picture() -> None:
    suffixes = ("", "_RLE", "_bigendian", "_implicit", "_jp2klossless", "_jpeg_ls_lossless")
    found = list(inspect_images([sample(f"MR_small{each}.dcm") for each in suffixes]))
    assert [each.fault for each in found] == [None] * 6
    assert len({each.checksum for each in found}) == 1


@pytest.mark.parametrize(
    ("name", "frames", "channels"),
    [
        ("SC_rgb_rle_2frame.dcm", 2, 3),
        ("SC_rgb_rle_16bit.dcm", 1, 3),
        ("SC_ybr_full_422_uncompressed.dcm", 1, 3),
        ("examples_palette.dcm", 1, 3),
        ("examples_ybr_color.dcm", 30, 3),
        ("SC_rgb_jls_lossy_line.dcm", 1, 3),
        ("rtdose.dcm", 15, 1),
        ("JPEG2000.dcm", 1, 1),
    ],
)
def test_colour_frames_and_codecs_are_read(frames_of, name, frames: int, channels: int) -> None:
    path = sample(name)
    assert len(frames_of(path)) == frames
    (found,) = inspect_images([f"{path}::{frames - 1}" if frames > 1 else path])
    assert (found.fault, found.channels) == (None, channels)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("rtplan.dcm", "holds no pixel data (it is: RT Plan Storage); leave it out"),
        ("image_dfl.dcm", "holds no pixel data; leave it out"),
        ("no_meta.dcm", "is no DICOM image; leave it out"),
        ("badVR.dcm", "its NumberOfFrames is no number"),
        ("MR_truncated.dcm", "its pixels cannot be decoded (cannot reshape array"),
        ("JPGExtended.dcm", "decoders that are not installed: pylibjpeg - requires"),
    ],
)
def test_what_cannot_be_shown_is_named(name: str, fault: str) -> None:
    (found,) = inspect_images([sample(name)])
    assert fault in str(found.fault)


def test_a_missing_codec_names_the_package_that_brings_it() -> None:
    path = sample("MR_small_jpeg_ls_lossless.dcm")
    code = (
        "import sys\n"
        "for name in ('gdcm', 'pylibjpeg', 'jpeg_ls', 'libjpeg'): sys.modules[name] = None\n"
        "from raymed.data.images import inspect_images\n"
        f"print(next(inspect_images([{path!r}])).fault)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "its pixels are JPEG-LS Lossless" in told.stdout
    assert "pip install 'raymed[dicom]', which brings pylibjpeg and python-gdcm" in told.stdout


def test_more_frames_than_a_file_can_hold_are_refused(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "ct.dcm", STEPS, NumberOfFrames=2_000_000_000)
    with pytest.raises(InputError, match="2000000000 frames are more than it has bytes"):
        open_file(str(path)).frames(Slices())


def test_a_frame_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "ct.dcm", STEPS)
    (found,) = inspect_images([f"{path}::1"])
    assert str(found.fault) == f"{path}::1: it holds 1 frames only"


def test_a_name_in_the_header_is_never_read(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "ct.dcm", STEPS, PatientName="Doe^Jane", PatientID="77")
    file = open_file(str(path))
    assert file.facts()["PatientID"] == "77"
    assert "PatientName" not in file._header


def test_a_broken_header_is_told_without_what_it_says(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "ct.dcm", STEPS, PatientName="Doe^Jane")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"Doe^Jane") + 12])
    (found,) = inspect_images([str(path)])
    assert found.fault is not None
    assert "Doe" not in str(found.fault)


def test_only_the_frames_asked_for_are_read_of_a_large_file(tmp_path: Path, shown) -> None:
    # A hole of 3 GB: read whole it would take seconds and the memory.
    frames, side = 6000, 512
    path = write_dicom(tmp_path / "long.dcm", STEPS, NumberOfFrames=frames, Rows=side, Columns=side)
    content = path.read_bytes()
    start = content.rindex(STEPS.tobytes())
    length = frames * side * side * 2
    head = content[: start - 4] + np.uint32(length).tobytes()
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + length)
        file.seek(len(head) + length - side * side * 2)
        file.write(np.tile(np.arange(side, dtype=np.uint16), side).tobytes())
    assert path.stat().st_size > 3e9
    assert not shown(path, "0000").any()
    assert shown(path, "5999")[0, -1] == 255


def test_opening_a_text_as_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_text("no image")
    with pytest.raises(InputError, match="is no DICOM image"):
        open_file(str(tmp_path / "a.dcm")).frames(Slices())


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ({"PixelSpacing": [0.5, 1.5]}, (8, 24)),
        ({"PixelAspectRatio": [2, 1]}, (16, 8)),
        ({"PixelSpacing": [1.0, 1.001]}, (8, 8)),
        ({"PixelSpacing": [0.0, 1.0]}, (8, 8)),
        ({"PixelSpacing": [1.0, 900.0]}, (8, 8)),
    ],
)
def test_pixels_that_are_no_squares_do_not_bend_the_picture(tmp_path, shown, said, shape) -> None:
    assert shown(write_dicom(tmp_path / "us.dcm", STEPS, **said)).shape == shape
