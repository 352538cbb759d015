"""The manifest: the table of samples, with what identifies their content."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from raymed.config import AS_FILES_SAY, Cluster, DataConfig, Intensity, Subgroup
from raymed.data.images import Inspection, inspect_images
from raymed.data.intake.classes import check_positive, class_order, named_labels
from raymed.data.intake.keyed import values_of_samples
from raymed.data.intake.objects import local_data
from raymed.data.intake.patients import find_patients
from raymed.data.intake.sources import reading_source
from raymed.data.intake.steps import Steps
from raymed.data.intake.subgroups import PREFIX, Groups, carry_groups, group_samples
from raymed.data.pixels.opening import MISSING
from raymed.errors import InputError, some
from raymed.files import digest, whole_file
from raymed.stories import result_of
from raymed.tables import read_parquet

COLUMNS = ["sample_id", "image", "label", "patient", "site", "split", "checksum", "declared_fold"]


@dataclass(frozen=True)
class Manifest:
    """Samples in the order of their ids.

    `table` has the columns sample_id, image, label (index into `classes`), patient, site
    (`""` where unknown), split (`train` or `test`), checksum (SHA-256 of the image), and one for
    each subgroup, which no hash knows of. `intensity` says how deep pixels are read; the checksums
    of those are of the pixels as read.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    patients_declared: bool
    channels: int
    intensity: Intensity = AS_FILES_SAY

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The label of each sample, int64 [samples]."""
        return self.table["label"].to_numpy(dtype=np.int64)

    @property
    def patients(self) -> npt.NDArray[np.object_]:
        """The patient of each sample; the sample itself where patients are not declared."""
        return self.table["patient"].to_numpy(dtype=object)

    @property
    def is_test(self) -> npt.NDArray[np.bool_]:
        """Which samples lie in the test split, bool [samples]."""
        return np.asarray(self.table["split"].to_numpy(dtype=object) == "test")

    def groups(self, subgroup: Subgroup) -> Groups:
        """Put every sample into its group of a subgroup that the manifest carries."""
        return group_samples(self.table[PREFIX + subgroup.column], subgroup.bands)

    @cached_property
    def content(self) -> str:
        """A hash of ids, images, labels, patients, splits and class order."""
        rows = self.table[["sample_id", "checksum", "label", "patient", "split"]]
        return digest([list(self.classes), rows.astype(str).to_numpy().tolist()])

    @cached_property
    def images(self) -> str:
        """A hash of the images alone, in their order: what decoded caches depend on."""
        return digest([self.channels, self.table["checksum"].tolist()])

    def write(self, path: Path) -> None:
        """Write as Parquet, with classes and the rest in the schema's metadata."""
        facts = {
            "classes": "\x1f".join(self.classes),
            "patients_declared": str(int(self.patients_declared)),
            "channels": str(self.channels),
            "intensity": self.intensity.model_dump_json(),
            "content": self.content,
        }
        table = pa.Table.from_pandas(self.table, preserve_index=False)
        with whole_file(path) as temporary:
            pq.write_table(table.replace_schema_metadata(facts), temporary)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        table = read_parquet(path)
        facts = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        return cls(
            table=table.to_pandas(),
            classes=tuple(facts["classes"].split("\x1f")),
            patients_declared=facts["patients_declared"] == "1",
            channels=int(facts["channels"]),
            intensity=Intensity.model_validate_json(facts.get("intensity", "{}")),
        )


@dataclass(frozen=True)
class Listing:
    """Samples as listed, before any pixel was read."""

    table: pd.DataFrame
    classes: tuple[str, ...]
    patients_declared: bool
    intensity: Intensity = AS_FILES_SAY
    skip: bool = False

    @cached_property
    def images(self) -> list[str]:
        """Where each image lies, in the order of samples."""
        return list(self.table["image"])

    def inspected(self, inspections: Sequence[Inspection]) -> Manifest:
        """Complete the listing by what opening each image told.

        Raises `InputError` if any has a fault; with `skip` those are left out, and it is raised
        where that leaves a class without a sample.
        """
        refusal = self.refusal(inspections)
        if refusal is not None and not self.skip:
            raise refusal
        usable = [found.fault is None for found in inspections]
        table = self.table.assign(checksum=[found.checksum for found in inspections])
        table = table[usable].reset_index(drop=True)
        lost = sorted(set(self.table["label"]) - set(table["label"]))
        if refusal is not None and lost:
            names = some([self.classes[label] for label in lost])
            fault = f"no usable image of class {names} is left: {refusal.fault}"
            raise InputError(refusal.place, fault, refusal.remedy)
        columns = [name for name in COLUMNS if name in table.columns]
        columns += [name for name in table.columns if name.startswith(PREFIX)]
        channels = max(found.channels for found in inspections)
        return Manifest(
            table[columns], self.classes, self.patients_declared, channels, self.intensity
        )

    def refusal(self, inspections: Sequence[Inspection]) -> InputError | None:
        """Name the images that cannot be used, if there are any."""
        return refuse_images([found.fault for found in inspections])


def refuse_images(faults: Sequence[InputError | None]) -> InputError | None:
    """Sum up what is wrong with images, one entry an image; None where nothing is."""
    found = [fault for fault in faults if fault is not None]
    if not found:
        return None
    told = [
        f"{each.place}: {each.fault}{f' ({each.remedy})' * bool(each.remedy)}" for each in found
    ]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    remedy = "repair or remove them, or leave them out: data.on_error=skip"
    if any(each.fault == MISSING for each in found):
        remedy += "; if they lie elsewhere now, data.root says below which folder"
    place = f"{len(found)} of {len(faults)} images"
    return InputError(place, f"cannot be used: {'; '.join(told[:5])}{more}", remedy)


def list_samples(data: DataConfig, subgroups: Iterable[Subgroup] = ()) -> Listing:
    """List the samples as `listing_samples` does, without telling how far it is.

    What lies in an object store is fetched into the cache of the environment.
    """
    data = result_of(local_data(data, Cluster().cache_folder))
    return result_of(listing_samples(data, subgroups))


def listing_samples(data: DataConfig, subgroups: Iterable[Subgroup] = ()) -> Steps[Listing]:
    """List the samples that a configuration names, in the order of their ids.

    They carry what the columns of `subgroups` say of them. Raises `InputError` for labels outside
    the classes, classes without a sample, a binary question over unknown classes, samples without a
    patient, subgroup columns of no use, patients on both sides of the test split.
    """
    if data.patients is None:
        raise InputError(
            "data.patients",
            "is missing: without it one person's images can land in two folds",
            "give {column: ..}, {file: .., column: ..}, {pattern: ..} or {dicom: ..}; `recovered` "
            "takes the groups that the audit finds from pixels; `none` if it is truly unknown, "
            "every figure will then say that leakage was not excluded",
        )
    samples = yield from reading_samples(data)
    labels = named_labels(samples["label"], data.classes)
    classes = class_order(labels, data)
    if data.binary is not None:
        check_positive(classes, data.binary.positive)
    samples = samples.assign(patient=find_patients(samples, data))
    samples = numbered(carry_groups(samples, data.source, subgroups), labels, classes)
    folds = data.folds
    if folds.column is not None:
        trained_on = samples[samples["split"] == "train"]
        declared = values_of_samples(trained_on, data.source, folds.column, folds.file, folds.key)
        samples["declared_fold"] = declared.reindex(samples.index, fill_value="")
    _refuse_split_patients(samples)
    return Listing(samples, classes, data.patients.known, data.intensity, data.on_error == "skip")


def read_manifest(data: DataConfig) -> Manifest:
    """List the samples and open every image once; raises `InputError` as both steps do."""
    listing = list_samples(data)
    return listing.inspected(list(inspect_images(listing.images, listing.intensity)))


def reading_samples(data: DataConfig, *, to_train: bool = True) -> Steps[pd.DataFrame]:
    """Read what the source lists, in the order of ids, none twice (see `reading_source`)."""
    samples = yield from reading_source(data, to_train=to_train)
    samples = samples.sort_values("sample_id", ignore_index=True)
    _refuse_repeated_ids(samples, data)
    return samples


def numbered(samples: pd.DataFrame, labels: pd.Series, classes: Sequence[str]) -> pd.DataFrame:
    """Give each sample the number of its label among the classes."""
    numbers = labels.map({name: i for i, name in enumerate(classes)})
    return samples.assign(label=numbers.astype("int16"))


def _refuse_repeated_ids(samples: pd.DataFrame, data: DataConfig) -> None:
    repeated = samples["sample_id"][samples["sample_id"].duplicated()].unique()
    if len(repeated):
        raise InputError(
            str(data.source), f"sample ids stand twice: {some(list(repeated))}", "rename them"
        )


def _refuse_split_patients(samples: pd.DataFrame) -> None:
    splits = samples.groupby("patient")["split"].nunique()
    torn = splits.index[splits > 1].tolist()
    if torn:
        raise InputError(
            "the manifest's split",
            f"patients stand in both train and test: {some(torn)}",
            "move all of a patient's samples to one side",
        )
