"""What compared members are worth at sites they never saw, where a build has left sites out."""

from collections.abc import Iterable

import numpy as np
from scipy.special import softmax

from raymed.data import Folds, Manifest
from raymed.ensemble import join_members
from raymed.evaluation import to_patient_level
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.members import Member, is_complete, member_identity
from raymed.pipeline.prepare import Prepared


def site_accuracies(repeat: Repeat, names: Iterable[str]) -> dict[str, dict[str, float]]:
    """Give each member's accuracy at every site, by name, at the highest level there is.

    Only of those that were trained without each site, and complete; empty where none was.
    """
    run = repeat.run.left_out_sites
    if not run.folds_file.exists():
        return {}
    divided = Prepared(Manifest.read(run.manifest_file), Folds.read(run.folds_file))
    found = {}
    for name in names:
        recipe = repeat.experiment.recipes[name]
        identity = member_identity(repeat.experiment, recipe, divided)
        member = Member(name, recipe, run.member(identity))
        if is_complete(member, divided.folds.count):
            found[name] = _by_site(member, divided)
    return found


def _by_site(member: Member, divided: Prepared) -> dict[str, float]:
    oof = join_members({member.id: member.oof_file}, divided.manifest, divided.folds)
    probabilities = softmax(oof.logits[:, 0].astype(np.float64), axis=1)
    train = divided.folds.fold >= 0
    sites = divided.manifest.table["site"].to_numpy(dtype=object)[train]
    found = {}
    for site in np.unique(sites.astype(str)):
        inside = sites == site
        values, labels = probabilities[inside], oof.labels[inside]
        if divided.manifest.patients_declared:
            people = to_patient_level(values, labels, oof.patients[inside])
            values, labels = people.probabilities, people.labels
        found[str(site)] = float((values.argmax(axis=1) == labels).mean())
    return found
