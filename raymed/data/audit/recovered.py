"""Patients recovered from pixels: the groups that the audit proposes, as names."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from raymed.data.audit.hidden import HiddenGroups
from raymed.data.intake.manifest import Manifest


def group_names(hidden: HiddenGroups) -> npt.NDArray[np.object_]:
    """Name the group of each sample, `group-0001` and on in the order of samples [samples]."""
    _, number = np.unique(hidden.group, return_inverse=True)
    width = max(4, len(str(len(hidden.group))))
    return np.array([f"group-{each + 1:0{width}}" for each in number], dtype=object)


def recover_patients(manifest: Manifest, hidden: HiddenGroups) -> Manifest:
    """Take the proposed groups for patients.

    They count as declared where any group holds more than copies of one image. Frames of one file
    stay together, and so do the groups that they join. What lies on both sides of the manifest's
    own test split is two patients; the audit names it.
    """
    names = group_names(replace(hidden, group=_with_frames(hidden.group, manifest)))
    torn = set(names[manifest.is_test]) & set(names[~manifest.is_test])
    patients = [
        f"{name}-test" if test and name in torn else name
        for name, test in zip(names, manifest.is_test, strict=True)
    ]
    table = manifest.table.assign(patient=patients)
    return replace(manifest, table=table, patients_declared=hidden.people > 0)


def _with_frames(group: npt.NDArray[np.int64], manifest: Manifest) -> npt.NDArray[np.int64]:
    """Join the groups that frames of one file lie in; each is named by its first sample."""
    _, file = np.unique(manifest.patients.astype(str), return_inverse=True)
    samples = np.arange(len(group))
    ends = np.concatenate([group, len(group) + file])  # a node a sample, a node a file
    links = coo_array(
        (np.ones(len(ends)), (np.tile(samples, 2), ends)), shape=(2 * len(group),) * 2
    )
    _, part = connected_components(links, directed=False)
    _, first, inverse = np.unique(part[: len(group)], return_index=True, return_inverse=True)
    return np.asarray(first[inverse])


def patients_as_before(manifest: Manifest, before: Manifest) -> Manifest | None:
    """Take the patients that a run has recovered already; None where its samples were others."""
    same = ["sample_id", "checksum", "label"]
    if len(before.table) != len(manifest.table):
        return None
    if not (before.table[same].astype(str) == manifest.table[same].astype(str)).all(axis=None):
        return None
    table = manifest.table.assign(patient=before.table["patient"].to_numpy())
    return replace(manifest, table=table, patients_declared=before.patients_declared)
