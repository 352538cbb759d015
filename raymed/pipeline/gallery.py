"""The gallery: the chosen cases' images, and what in them spoke for the stack's prediction.

An illustration: it comes after everything that is fitted or chosen, and nothing but the report
reads it.
"""

import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from raymed.config import Experiment
from raymed.data.batches import as_images, inference_batches
from raymed.data.folds import TEST
from raymed.data.images import Pixels
from raymed.data.shown_ids import ShownIds
from raymed.files import digest, read_json, whole_file
from raymed.models.saliency import NoMapError, saliency_maps
from raymed.pipeline.decoding import ImageCache
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.members import Member, fold_model
from raymed.pipeline.prepare import Prepared
from raymed.runs import RunFolder
from raymed.training.checkpoints import FINAL

VERSION = 1
SIDE = 160
"""Pixels a side that an image is shown with, at most."""
TEST_FOLD = 0
"""Whose model looks at the test split, which no fold model has seen."""
PART = 16
"""Images that are differentiated at once."""

_COLUMNS = pa.schema(
    [
        ("split", pa.string()),
        ("right", pa.bool_()),
        ("sample_id", pa.string()),
        ("patient", pa.string()),
        ("images", pa.int32()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("probability", pa.float64()),
        (
            "members",
            pa.list_(
                pa.struct(
                    [
                        ("name", pa.string()),
                        ("predicted", pa.string()),
                        ("probability", pa.float64()),
                    ]
                )
            ),
        ),
        ("image", pa.binary()),  # PNG
        ("saliency", pa.binary()),  # PNG of the grid: 0 nothing, 255 the most; or null
    ]
)


def draw_gallery(
    experiment: Experiment,
    run: RunFolder,
    members: Sequence[Member],
    prepared: Prepared,
    device: str,
) -> Iterator[Event]:
    """Write `gallery.parquet`, unless it is there for these very cases and weights.

    One member looks at every case (`who_looks`), by the model of the case's own fold, which never
    saw the patient; at the test split by that of fold 0.
    """
    if not experiment.evaluate.gallery:
        run.gallery_file.unlink(missing_ok=True)  # it holds patients' images
        return
    metrics = read_json(run.metrics_file)
    cases, member = metrics["gallery"], who_looks(metrics, members)
    look = _Look.of(cases, member, prepared, ImageCache.of(experiment.cluster), device)
    about = digest([VERSION, SIDE, cases, member.id, look.weights()])
    if _stored(run.gallery_file) == about:
        return
    fault = ""
    try:
        maps = yield from look.maps()
    except NoMapError as error:
        maps, fault = {}, error.fault
    rows = [
        {
            **case,
            **look.ids(at),
            "image": _png(look.pixels[at]),
            "saliency": _png(maps[at]) if at in maps else None,
        }
        for at, case in enumerate(cases)
    ]
    facts = {"about": about, "member": member.name, "fault": fault}
    table = pa.Table.from_pylist(rows, _COLUMNS).replace_schema_metadata(facts)
    with whole_file(run.gallery_file) as temporary:
        pq.write_table(table, temporary)


@dataclass(frozen=True, eq=False)
class _Look:
    """One member's look at each case: pixels, the fold whose model looks, the class it is asked."""

    member: Member
    pixels: Pixels  # [cases, h, w] or [cases, h, w, 3]
    folds: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    class_count: int
    device: str
    samples: pd.DataFrame  # the manifest's rows of the cases

    @classmethod
    def of(
        cls,
        cases: Sequence[dict[str, Any]],
        member: Member,
        prepared: Prepared,
        cache: ImageCache,
        device: str,
    ) -> "_Look":
        """Find the cases' images and folds."""
        manifest = prepared.manifest
        ids = ShownIds.coded(manifest.table["checksum"])
        places = {ids.sample(name): row for row, name in enumerate(manifest.table["sample_id"])}
        rows = np.array([places[case["sample"]] for case in cases], dtype=np.int64)
        own = prepared.folds.fold[rows].astype(np.int64)
        return cls(
            member,
            cache.open(manifest, member.recipe.size)[rows],
            np.where(own == TEST, TEST_FOLD, own),
            np.array([manifest.classes.index(case["predicted"]) for case in cases]),
            len(manifest.classes),
            device,
            manifest.table.iloc[rows],
        )

    def ids(self, at: int) -> dict[str, str]:
        """Name a case's sample and patient: the table stays with the run, the report has codes."""
        return {name: str(self.samples[name].iloc[at]) for name in ("sample_id", "patient")}

    def weights(self) -> list[str]:
        """Name the weights that look, by content."""
        facts = [self.member.folder.fold_facts(int(fold)) for fold in np.unique(self.folds)]
        return [done["files"][f"{done['attempt']}/{FINAL}"] for done in facts]

    def maps(self) -> Generator[Event, None, dict[int, Pixels]]:
        """Draw each case's map, uint8 [h', w'] on the features' grid, by its place."""
        place, drawn = torch.device(self.device), dict[int, Pixels]()
        for fold in np.unique(self.folds):
            model = fold_model(self.member, int(fold), self.class_count, self.device)
            for part in inference_batches(np.flatnonzero(self.folds == fold), PART):
                yield Stage("drawing the gallery", len(drawn), len(self.folds))
                images = as_images(self.pixels[part], place)
                asked = torch.from_numpy(self.classes[part]).to(place)
                maps = (255 * saliency_maps(model, images, asked)).round().astype(np.uint8)
                drawn |= dict(zip(part.tolist(), maps, strict=True))
        yield Stage("drawing the gallery", len(drawn), len(self.folds))
        return drawn


def who_looks(metrics: Mapping[str, Any], members: Sequence[Member]) -> Member:
    """Choose who draws the maps: the member that weighs most in the stack.

    Of equals it is the one with the least out-of-fold log loss at the highest level.
    """
    kinds = {(row["kind"], row["name"]): row for row in metrics["rows"]}
    weights = kinds["meta-learner", metrics["chosen"]]["weights"]
    level = "patient" if metrics["patients_declared"] else "image"

    def rank(member: Member) -> tuple[float, float]:
        loss = kinds["member", member.name]["oof"][level]["metrics"]["log_loss"]["value"]
        return -weights[member.name], loss

    return min(members, key=rank)


def _stored(file: Path) -> str | None:
    """Say what an earlier gallery is about; a broken file is as good as none."""
    try:
        facts = pq.read_schema(file).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    about: bytes = facts.get(b"about", b"")
    return about.decode()


def _png(pixels: Pixels) -> bytes:
    image, content = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((SIDE, SIDE))
    image.save(content, "PNG")
    return content.getvalue()
