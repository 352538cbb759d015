"""The phantom set is reproducible, shows its signs and is written whole."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from raymed.data.phantom import SITES, STAGES, PhantomSet, draw_phantoms, write_phantoms
from raymed.data.phantom.anatomy import Anatomy, draw_anatomy
from raymed.data.phantom.scanner import draw_session, scan
from raymed.data.phantom.tissue import Tissue, slice_tissues
from raymed.errors import InputError

FEW = {"patients": 4, "slices": 2, "size": 32}


@pytest.fixture(scope="module")
def phantoms() -> PhantomSet:
    """The default set: 72 patients, 4 slices, 64 pixels."""
    return draw_phantoms()


def people(stage: int, count: int = 30) -> list[Anatomy]:
    """The same people at any stage."""
    return [draw_anatomy(stage, np.random.default_rng(person)) for person in range(count)]


def test_the_same_arguments_draw_the_same_bytes() -> None:
    first, second = draw_phantoms(**FEW, seed=3), draw_phantoms(**FEW, seed=3)
    assert first.images.tobytes() == second.images.tobytes()
    assert first.sample_ids == second.sample_ids
    assert first.images.tobytes() != draw_phantoms(**FEW, seed=4).images.tobytes()


def test_a_patient_is_the_same_however_many_others_are_drawn() -> None:
    few, many = draw_phantoms(6, 2, 32), draw_phantoms(11, 2, 32)
    assert np.array_equal(few.images, many.images[:12])
    assert np.array_equal(few.labels, many.labels[:12])
    assert few.sites == many.sites[:12]


def test_every_field_has_a_row_a_sample(phantoms: PhantomSet) -> None:
    assert phantoms.images.shape == (288, 64, 64)
    assert phantoms.images.dtype == np.uint8
    assert phantoms.labels.dtype == np.int16
    fields = (phantoms.labels, phantoms.patients, phantoms.sites, phantoms.slices)
    assert {len(field) for field in fields} == {288}
    assert phantoms.sample_ids[4 * 12 + 2] == "p012_s2"
    assert len(set(phantoms.sample_ids)) == 288


def test_a_patient_has_one_stage_and_one_site(phantoms: PhantomSet) -> None:
    table = pd.DataFrame(
        {"patient": phantoms.patients, "label": phantoms.labels, "site": phantoms.sites}
    )
    assert (table.groupby("patient").nunique() == 1).all(axis=None)


def test_stages_and_sites_are_crossed(phantoms: PhantomSet) -> None:
    cells = pd.crosstab(phantoms.labels, np.array(phantoms.sites))
    assert cells.shape == (len(STAGES), len(SITES))
    # 72 patients over 4 stages x 3 sites are 6 a cell, of 4 slices each.
    assert (cells == 24).all(axis=None)
    assert sorted(draw_phantoms(**FEW).labels.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_no_two_patients_and_no_two_slices_are_alike(phantoms: PhantomSet) -> None:
    assert len({image.tobytes() for image in phantoms.images}) == len(phantoms.images)
    heads = [draw_anatomy(0, np.random.default_rng(person)) for person in range(20)]
    assert len({(head.length, head.width, head.tilt, head.bone) for head in heads}) == 20


def test_tissues_fill_every_pixel_and_heads_fit_the_image() -> None:
    for head in people(3, count=40):
        tissues = slice_tissues(head, -0.3, 48)
        assert np.allclose(tissues.sum(axis=0), 1)
        assert tissues.min() >= 0
        air = tissues[Tissue.AIR]
        edges = (air[0], air[-1], air[:, 0], air[:, -1])
        assert min(edge.min() for edge in edges) > 0.99


@pytest.mark.parametrize("size", [48, 96])
def test_ventricles_grow_with_the_stage(size: int) -> None:
    areas = [
        np.mean([slice_tissues(head, 0.0, size)[Tissue.VENTRICLE].mean() for head in people(stage)])
        for stage in range(len(STAGES))
    ]
    assert all(late > 1.2 * early for early, late in pairwise(areas))


def test_the_cortex_thins_with_the_stage() -> None:
    thickness = [np.mean([head.cortex for head in people(stage)]) for stage in range(len(STAGES))]
    grey = [
        np.mean([slice_tissues(head, 0.0, 64)[Tissue.GREY].mean() for head in people(stage)])
        for stage in range(len(STAGES))
    ]
    assert all(late < 0.9 * early for early, late in pairwise(thickness))
    assert all(late < early for early, late in pairwise(grey))


def test_lesions_are_a_local_sign_of_the_stage() -> None:
    counts = [np.mean([len(head.lesions) for head in people(stage)]) for stage in range(4)]
    assert all(late > early + 0.5 for early, late in pairwise(counts))
    late = [slice_tissues(head, 0.0, 64)[Tissue.LESION] for head in people(3)]
    # Focal: some pixels are all lesion, and yet it is a small part of the image.
    assert np.mean([spots.max() for spots in late]) > 0.8
    assert max(spots.mean() for spots in late) < 0.02


def test_asymmetry_is_a_relational_sign_of_the_stage() -> None:
    ratios = [np.mean([_horn_ratio(head) for head in people(stage)]) for stage in range(4)]
    assert all(late > early for early, late in pairwise(ratios))
    # Either side may be the larger: no single place gives the stage away.
    signs = np.sign([head.asymmetry for head in people(3)])
    assert 0.2 < np.mean(signs > 0) < 0.8


def _horn_ratio(head: Anatomy) -> float:
    """Absolute log ratio of the back horns' areas, the head put straight."""
    upright = replace(head, tilt=0.0, centre=(0.0, 0.0))
    back = slice_tissues(upright, 0.0, 64)[Tissue.VENTRICLE][40:]
    return float(abs(np.log(back[:, :32].sum() / back[:, 32:].sum())))


def test_sites_differ_in_contrast_bias_and_noise() -> None:
    head = draw_anatomy(1, np.random.default_rng(0))
    tissues = slice_tissues(head, 0.0, 64)
    flat = np.zeros((64, 64))
    images = {}
    for site in SITES:
        rng = np.random.default_rng(1)
        session = draw_session(site, rng)
        images[site] = np.array([scan(session, tissues, flat, rng) for _ in range(40)], float)
    air = tissues[Tissue.AIR] > 0.99
    white, grey = tissues[Tissue.WHITE] > 0.99, tissues[Tissue.GREY] > 0.99
    noise = [image.std(axis=0)[white].mean() for image in images.values()]
    contrast = [image[:, grey].mean() / image[:, white].mean() for image in images.values()]
    tilt = [
        image.mean(0)[:32][white[:32]].mean() / image.mean(0)[32:][white[32:]].mean()
        for image in images.values()
    ]
    for figures in (noise, contrast, tilt):
        assert min(abs(a - b) for a, b in pairwise(sorted(figures))) > 0.02
    assert all(image[:, air].mean() < 0.15 * 255 for image in images.values())


def test_neighbouring_slices_are_more_alike_than_patients_of_a_stage(phantoms: PhantomSet) -> None:
    similar = np.asarray(np.corrcoef(phantoms.images.reshape(288, -1)))
    patients, labels = np.array(phantoms.patients), phantoms.labels
    same = (patients[:, None] == patients) & ~np.eye(288, dtype=bool)
    rivals = (patients[:, None] != patients) & (labels[:, None] == labels)
    assert similar[same].mean() > similar[rivals].mean() + 0.1
    number = np.array(phantoms.slices)
    step = abs(number[:, None] - number)
    assert similar[same & (step == 1)].mean() > similar[same & (step == 3)].mean()


def test_a_written_set_reads_back(tmp_path: Path) -> None:
    drawn = draw_phantoms(**FEW)
    path = write_phantoms(tmp_path / "new" / "set", **FEW)
    table = pd.read_csv(path)
    assert list(table) == ["sample_id", "image", "label", "patient", "site"]
    assert tuple(table["sample_id"]) == drawn.sample_ids
    assert [STAGES.index(label) for label in table["label"]] == drawn.labels.tolist()
    assert tuple(table["patient"]) == drawn.patients
    assert tuple(table["site"]) == drawn.sites
    for name, image in zip(table["image"], drawn.images, strict=True):
        assert np.array_equal(np.asarray(Image.open(path.parent / name)), image)
    assert not list(path.parent.rglob("*.part"))


def test_a_set_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = write_phantoms(tmp_path, **FEW)
    files = sorted(tmp_path.rglob("*"))
    before = [file.stat().st_mtime_ns for file in files]
    assert write_phantoms(tmp_path, **FEW) == path
    assert [file.stat().st_mtime_ns for file in files] == before


def test_other_arguments_replace_the_set(tmp_path: Path) -> None:
    write_phantoms(tmp_path, patients=5, slices=2, size=32)
    path = write_phantoms(tmp_path, patients=4, slices=1, size=40)
    names = {f"images/{name}.png" for name in ("p000_s0", "p001_s0", "p002_s0", "p003_s0")}
    assert set(pd.read_csv(path)["image"]) == names
    assert {f"images/{file.name}" for file in (tmp_path / "images").iterdir()} == names
    with Image.open(tmp_path / "images" / "p000_s0.png") as image:
        assert image.size == (40, 40)


def test_an_interrupted_write_is_done_again(tmp_path: Path) -> None:
    path = write_phantoms(tmp_path, **FEW)
    image = tmp_path / "images" / "p003_s1.png"
    path.unlink()
    image.unlink()
    write_phantoms(tmp_path, **FEW)
    assert path.exists()
    assert image.exists()


def test_somebody_elses_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("sample_id\nmine\n")
    with pytest.raises(InputError, match="not the manifest of a phantom set"):
        write_phantoms(tmp_path, **FEW)
    assert (tmp_path / "manifest.csv").read_text() == "sample_id\nmine\n"


@pytest.mark.parametrize("bad", [{"patients": 3}, {"slices": 0}, {"size": 31}, {"seed": -1}])
def test_impossible_arguments_are_refused(bad: dict[str, int], tmp_path: Path) -> None:
    name = next(iter(bad))
    with pytest.raises(InputError, match=f"phantom, {name}: .* is too small"):
        draw_phantoms(**bad)
    with pytest.raises(InputError, match=name):
        write_phantoms(tmp_path / "none", **bad)
    assert not (tmp_path / "none").exists()
