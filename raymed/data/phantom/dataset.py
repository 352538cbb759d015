"""The whole set: patients crossed with stages and sites, drawn in memory or into a folder."""

import csv
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from raymed.data.phantom.anatomy import STAGES, Anatomy, draw_anatomy
from raymed.data.phantom.scanner import SITES, Session, draw_session, scan
from raymed.data.phantom.tissue import slice_tissues
from raymed.errors import InputError

log = logging.getLogger(__name__)

# Written beside the images; raise it when a change of the drawing changes pixels.
DRAWING = 1


@dataclass(frozen=True, eq=False)
class PhantomSet:
    """Images with what is known of each; row i of every field is the same sample."""

    images: NDArray[np.uint8]  # [samples, size, size]
    labels: NDArray[np.int16]  # index into STAGES
    patients: tuple[str, ...]
    sites: tuple[str, ...]
    slices: tuple[int, ...]

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Names such as p012_s2, unique in the set."""
        return tuple(f"{p}_s{s}" for p, s in zip(self.patients, self.slices, strict=True))


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient, ready to be scanned."""

    name: str
    stage: int
    site: str
    anatomy: Anatomy
    session: Session
    noise: np.random.SeedSequence


def draw_phantoms(patients: int = 72, slices: int = 4, size: int = 64, seed: int = 0) -> PhantomSet:
    """Draw `slices` neighbouring slices of each patient, `size` pixels square.

    Every four patients in a row hold each stage once, every twelve each stage at each site
    once. A patient is the same however many others are drawn. Raises InputError for fewer
    than 4 patients, no slices, images under 32 pixels or a negative seed.
    """
    _refuse_impossible(patients, slices, size, seed)
    drawn = [draw_patient(index, seed) for index in range(patients)]
    images = [image for patient in drawn for image in scan_patient(patient, slices, size)]
    each = [patient for patient in drawn for _ in range(slices)]
    return PhantomSet(
        images=np.stack(images),
        labels=np.array([patient.stage for patient in each], dtype=np.int16),
        patients=tuple(patient.name for patient in each),
        sites=tuple(patient.site for patient in each),
        slices=tuple(range(slices)) * patients,
    )


def draw_patient(index: int, seed: int) -> Patient:
    """Patient number `index` of the set that `seed` names."""
    block, place = divmod(index, len(STAGES))
    stage = int(np.random.default_rng((seed, 0, block)).permutation(len(STAGES))[place])
    body, visit, noise = np.random.SeedSequence((seed, 1, index)).spawn(3)
    site = SITES[(stage + block) % len(SITES)]
    return Patient(
        name=f"p{index:03d}",
        stage=stage,
        site=site,
        anatomy=draw_anatomy(stage, np.random.default_rng(body)),
        session=draw_session(site, np.random.default_rng(visit)),
        noise=noise,
    )


def scan_patient(patient: Patient, slices: int, size: int) -> Iterator[NDArray[np.uint8]]:
    """The patient's slices from the lowest to the highest."""
    ticks = (np.arange(size) + 0.5) * 2 / size - 1
    x, y = np.meshgrid(ticks, ticks)
    rng = np.random.default_rng(patient.noise)
    spacing = min(0.2, 1.2 / slices)
    for number in range(slices):
        level = spacing * (number - (slices - 1) / 2)
        texture = patient.anatomy.texture.at(x, y, level)
        yield scan(patient.session, slice_tissues(patient.anatomy, level, size), texture, rng)


def write_phantoms(
    folder: Path, patients: int = 72, slices: int = 4, size: int = 64, seed: int = 0
) -> Path:
    """Write images/<sample_id>.png and manifest.csv; returns the path of the latter.

    manifest.csv comes last and under a temporary name first, so where it is, all is. A folder
    that holds the same set already is left alone; one that holds another phantom set is
    written anew. Raises InputError where manifest.csv is somebody else's, and as draw_phantoms
    does.
    """
    _refuse_impossible(patients, slices, size, seed)
    manifest, note = folder / "manifest.csv", folder / "phantom.json"
    wanted = {
        "drawing": DRAWING,
        "patients": patients,
        "slices": slices,
        "size": size,
        "seed": seed,
    }
    if manifest.exists() and not note.exists():
        raise InputError(str(manifest), "not the manifest of a phantom set", "name another folder")
    if manifest.exists() and json.loads(note.read_text()) == wanted:
        return manifest
    if note.exists():
        _clear(folder)
    drawn = draw_phantoms(patients, slices, size, seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    _write(note, json.dumps(wanted, indent=2) + "\n")
    for name, image in zip(drawn.sample_ids, drawn.images, strict=True):
        Image.fromarray(image).save(folder / "images" / f"{name}.png")
    _write(manifest, _table(drawn))
    log.info("drew %d phantoms of %d patients into %s", len(drawn.images), patients, folder)
    return manifest


def _clear(folder: Path) -> None:
    """Remove another phantom set, its manifest first: without it nothing counts as written."""
    (folder / "manifest.csv").unlink(missing_ok=True)
    for image in (folder / "images").glob("p[0-9]*_s[0-9]*.png"):
        image.unlink()


def _table(drawn: PhantomSet) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("sample_id", "image", "label", "patient", "site"))
    columns = zip(drawn.sample_ids, drawn.labels, drawn.patients, drawn.sites, strict=True)
    for name, label, patient, site in columns:
        writer.writerow((name, f"images/{name}.png", STAGES[label], patient, site))
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text)
    temporary.replace(path)


def _refuse_impossible(patients: int, slices: int, size: int, seed: int) -> None:
    asked = {"patients": patients, "slices": slices, "size": size, "seed": seed}
    least = {"patients": len(STAGES), "slices": 1, "size": 32, "seed": 0}
    for name, value in asked.items():
        if value < least[name]:
            raise InputError(
                f"phantom, {name}", f"{value} is too small", f"give {least[name]} or more"
            )
