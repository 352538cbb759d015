"""A NIfTI volume is cut in the patient's axes, however it is stored."""

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from raymed.config import Intensity
from raymed.data.images import inspect_images
from raymed.data.pixels import nifti
from tests.data.pixels.scans import write_nifti

# Every voxel says where it is: x to the right, y to the front, z to the head.
X, Y, Z = np.meshgrid(np.arange(5), np.arange(6), np.arange(7), indexing="ij")
VOXELS = (100 * X + 10 * Y + Z).astype(np.int16)
EXACT = Intensity(range=(0, 1000))
ORIENTATIONS = [
    "".join(axes)
    for order in itertools.permutations(("RL", "AP", "SI"))
    for axes in itertools.product(*order)
]


def as_shown(values: np.ndarray) -> np.ndarray:
    return np.rint(values / 1000 * 255)


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_slices_are_alike_however_the_volume_is_stored(tmp_path: Path, shown, axes: str) -> None:
    path = write_nifti(tmp_path / "v.nii", VOXELS, axes)
    assert "".join(nib.aff2axcodes(nib.load(path).affine)) == axes
    # Rows from the front (head) to the back (feet); columns from the right, or from the front.
    axial, coronal = VOXELS[::-1, ::-1, 4].T, VOXELS[::-1, 2, ::-1].T
    sagittal = VOXELS[3, ::-1, ::-1].T
    assert np.array_equal(shown(path, "axial/4", EXACT), as_shown(axial))
    assert np.array_equal(shown(path, "coronal/2", EXACT), as_shown(coronal))
    assert np.array_equal(shown(path, "sagittal/3", EXACT), as_shown(sagittal))


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ({}, [f"axial/{number}" for number in range(7)]),
        ({"axis": "sagittal", "step": 2}, ["sagittal/0", "sagittal/2", "sagittal/4"]),
        ({"axis": "coronal", "between": (0.5, 1)}, ["coronal/3", "coronal/4", "coronal/5"]),
        ({"between": (0.5, 0.51)}, ["axial/4"]),
        ({"between": (0.99, 1)}, ["axial/6"]),
    ],
)
def test_axis_and_range_are_chosen(tmp_path: Path, frames_of, slices, expected) -> None:
    path = write_nifti(tmp_path / "v.nii", VOXELS, "PSR")
    assert list(frames_of(path, **slices)) == expected


def test_numbers_sort_as_text(tmp_path: Path, frames_of) -> None:
    path = write_nifti(tmp_path / "v.nii", np.zeros((3, 3, 11), np.int16))
    assert list(frames_of(path)) == sorted(frames_of(path))


def test_limits_are_percentiles_of_the_whole_volume(tmp_path: Path, shown) -> None:
    path = write_nifti(tmp_path / "v.nii", VOXELS)
    low, high = np.percentile(VOXELS, (0.5, 99.5))
    expected = 255 * np.clip((VOXELS[::-1, ::-1, 0].T - low) / (high - low), 0, 1)
    assert np.abs(shown(path, "axial/0") - expected).max() <= 0.5 + 1e-6


def test_the_header_s_scale_is_applied(tmp_path: Path, shown) -> None:
    image = nib.Nifti1Image(VOXELS, np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    nib.save(image, tmp_path / "v.nii")
    values = nib.load(tmp_path / "v.nii").get_fdata()
    rule = Intensity(range=(values.min(), values.max()))
    wanted = np.rint(255 * (values - values.min()) / np.ptp(values))[::-1, ::-1, 3].T
    assert np.array_equal(shown(tmp_path / "v.nii", "axial/3", rule), wanted)


def test_packed_and_unpacked_are_one_picture(tmp_path: Path) -> None:
    paths = [write_nifti(tmp_path / name, VOXELS, "LIP") for name in ("v.nii", "v.nii.gz")]
    sums = [
        [found.checksum for found in inspect_images([f"{path}::axial/{n}" for n in range(7)])]
        for path in paths
    ]
    assert sums[0] == sums[1]
    assert len(set(sums[0])) == 7


def test_a_packed_volume_is_unpacked_once_for_all_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_nifti(tmp_path / "v.nii.gz", VOXELS)
    opened = []
    load = nib.load
    monkeypatch.setattr(nifti.nib, "load", lambda name: opened.append(name) or load(name))
    list(inspect_images([f"{path}::axial/{number}" for number in range(7)]))
    assert len(opened) == 1


def test_a_packed_volume_beyond_memory_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_nifti(tmp_path / "v.nii.gz", VOXELS)
    monkeypatch.setattr(nifti, "LARGEST", 400)
    (found,) = inspect_images([f"{path}::axial/1"])
    assert "gunzip it: of an unpacked file only the slices needed are read" in str(found.fault)


def test_of_a_large_unpacked_volume_only_what_is_needed_is_read(tmp_path: Path, shown) -> None:
    path = tmp_path / "large.nii"  # 3 GB, a hole but for its header
    header = nib.Nifti1Header()
    header.set_data_shape((1000, 1000, 1500))
    header.set_data_dtype(np.int16)
    header["magic"], header["vox_offset"], header["sform_code"] = b"n+1", 352, 1
    header["srow_x"], header["srow_y"], header["srow_z"] = np.eye(4)[:3]
    with path.open("wb") as file:
        file.write(header.binaryblock + bytes(4))
        file.truncate(352 + 2 * 1000 * 1000 * 1500)
    assert not shown(path, "axial/0700").any()


def test_slices_with_nan_are_named_and_the_others_are_unharmed(tmp_path: Path) -> None:
    voxels = VOXELS.astype(np.float32)
    voxels[1, 2, 3] = np.nan
    path = write_nifti(tmp_path / "v.nii", voxels)
    found = list(inspect_images([f"{path}::axial/{number}" for number in range(7)]))
    assert [each.fault is None for each in found] == [True] * 3 + [False] + [True] * 3
    assert f"{path}::axial/3: 1 of 30 values are NaN or infinite" in str(found[3].fault)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("example4d.nii.gz", "is 128 x 96 x 24 x 2, 4-D, not one volume; split it: nibabel."),
        ("functional.nii", "is 17 x 21 x 3 x 20, 4-D, not one volume"),
        ("row_major.dconn.nii", "is 10 x 10, 2-D, not one volume"),
        ("resampled_anat_moved.nii", "values are NaN or infinite"),
    ],
)
def test_nibabels_samples_that_are_no_whole_volume_are_refused(name: str, fault: str) -> None:
    path = Path(nib.__file__).parent / "tests/data" / name
    (found,) = inspect_images([f"{path}::axial/1"])
    assert fault in str(found.fault)


def test_a_manifest_of_whole_files_tells_which_is_no_volume() -> None:
    path = Path(nib.__file__).parent / "tests/data/example4d.nii.gz"
    (found,) = inspect_images([str(path)])
    assert "4-D, not one volume" in str(found.fault)


def test_nibabels_sample_is_cut_as_nibabel_reorients_it(shown) -> None:
    path = Path(nib.__file__).parent / "tests/data/anatomical.nii"
    image = nib.as_closest_canonical(nib.load(path))
    values = image.get_fdata()
    rule = Intensity(range=(values.min(), values.max()))
    wanted = np.rint(255 * (values - values.min()) / np.ptp(values))
    assert np.array_equal(shown(path, "axial/12", rule), wanted[::-1, ::-1, 12].T)


def test_a_volume_with_a_fourth_axis_of_one_is_a_volume(tmp_path: Path, shown) -> None:
    nib.save(nib.Nifti1Image(VOXELS[..., None], np.eye(4)), tmp_path / "v.nii")
    assert np.array_equal(
        shown(tmp_path / "v.nii", "axial/4", EXACT), as_shown(VOXELS[::-1, ::-1, 4].T)
    )


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_a_volume_that_was_cut_off_is_a_fault(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 999, (30, 30, 30)).astype(np.int16)
    whole = write_nifti(tmp_path / f"v.{suffix}", noise).read_bytes()
    for share in (0, 100, 340, len(whole) // 2, len(whole) - 200):
        path = tmp_path / f"cut{share}.{suffix}"
        path.write_bytes(whole[:share])
        (found,) = inspect_images([f"{path}::axial/29"])
        assert found.fault is not None


def test_a_volume_needs_its_slice_named(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "v.nii", VOXELS)
    whole, beyond, strange = inspect_images([str(path), f"{path}::axial/7", f"{path}::oblique/1"])
    assert "is a volume; name a slice, as volume.nii::axial/40" in str(whole.fault)
    assert "it has 7 slices only" in str(beyond.fault)
    assert "no axis 'oblique'; one of sagittal, coronal, axial" in str(strange.fault)


def test_complex_voxels_are_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), np.complex64), np.eye(4)), tmp_path / "v.nii")
    (found,) = inspect_images([f"{tmp_path}/v.nii::axial/1"])
    assert "its voxels are complex64; expected plain numbers" in str(found.fault)


def test_voxels_that_are_no_cubes_do_not_bend_the_picture(tmp_path: Path, shown) -> None:
    # 1 x 1 x 3 mm: seen from the front, a slice is three times as high as it has voxels.
    nib.save(nib.Nifti1Image(VOXELS, np.diag([1, 1, 3, 1])), tmp_path / "v.nii")
    assert shown(tmp_path / "v.nii", "coronal/2", EXACT).shape == (21, 5)
    assert shown(tmp_path / "v.nii", "sagittal/2", EXACT).shape == (21, 6)
    assert shown(tmp_path / "v.nii", "axial/2", EXACT).shape == (6, 5)
