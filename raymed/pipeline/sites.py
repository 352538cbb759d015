"""Leave-one-site-out: every member once more without each site, and what it is worth there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from scipy.special import softmax

from raymed.config import Experiment
from raymed.data.predictions import Level
from raymed.data.sites import classes_of_one_site, site_names
from raymed.ensemble import OofTable, Settings, cross_fit, join_members
from raymed.evaluation import TwoWays, class_prior, score_sites
from raymed.files import digest, read_json, write_json
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.members import Member, Scheme, plan_members
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import Scorer
from raymed.pipeline.stacking import join_oof, meta_settings
from raymed.runs import RunFolder

SCHEMA = 1
SUFFIX = ", by site"
"""After the name of a member whose folds are the sites."""


def plan_left_out_sites(
    experiment: Experiment, run: RunFolder, prepared: Prepared
) -> Scheme | None:
    """Give each recipe a member whose folds are the sites; None where nobody asked for it."""
    if prepared.sites is None:
        return None
    inner, by_site = run.left_out_sites, replace(prepared, folds=prepared.sites)
    by_site.manifest.write(inner.manifest_file)
    by_site.folds.write(inner.folds_file)
    members = plan_members(experiment, inner, by_site)
    return Scheme(inner, by_site, [replace(each, name=each.name + SUFFIX) for each in members])


def score_left_out_sites(
    experiment: Experiment,
    grouped: Scheme,
    left_out: Scheme,
    complete: Sequence[Member],
    failed: Mapping[str, str],
) -> Iterator[Event]:
    """Write what members and stack are worth at left-out sites, unless it stands there already.

    `complete` are the members of the patient-grouped folds; of them count those that are complete
    without each site too.
    """
    file = left_out.run.metrics_file
    twins = {twin.name: twin for twin in left_out.finished(failed)}
    both = [(each, twins[each.name + SUFFIX]) for each in complete if each.name + SUFFIX in twins]
    if not both:
        file.unlink(missing_ok=True)
        yield Note("no member is complete without each site: none is scored there", warning=True)
        return
    chosen = read_json(grouped.run.metrics_file)["chosen"]
    facts = [
        [[each.id, twin.id] for each, twin in both],
        site_names(left_out.prepared.manifest),
        [chosen, experiment.ensemble.model_dump(), experiment.evaluate.draws],
        sorted(failed.items()),
    ]
    about = digest(facts)
    if not file.exists() or read_json(file).get("about") != about:
        yield Stage("scoring left-out sites")
        ours = [each.name for each in left_out.members if each.name in failed]
        gone = [{"name": name, "reason": failed[name]} for name in ours]
        scored = _scored(experiment, grouped, left_out, both, chosen)
        write_json(file, {"schema": SCHEMA, "about": about, "failed": gone, **scored})


def _scored(
    experiment: Experiment,
    grouped: Scheme,
    left_out: Scheme,
    both: Sequence[tuple[Member, Member]],
    chosen: str,
) -> dict[str, Any]:
    """Score every row at all sites and at each; JSON-ready."""
    manifest = left_out.prepared.manifest
    files = {member.id: member.oof_file for member, _ in both}
    by_patient = join_members(files, manifest, grouped.prepared.folds)
    by_site = join_oof(left_out.run, [twin for _, twin in both], left_out.prepared)
    scorer, settings = Scorer(experiment, grouped.prepared), meta_settings(experiment)
    rows = [
        _prior(by_site, by_patient),
        *_members([member.name for member, _ in both], by_site, by_patient),
        *(
            _stack(kind, scorer.highest, by_site, by_patient, settings)
            for kind in dict.fromkeys([chosen, "mean"])
        ),
    ]
    sites = manifest.table["site"].to_numpy(dtype=object)[~manifest.is_test]
    scores = score_sites(rows, by_site.labels, by_site.patients, sites, scorer.terms)
    warnings = [
        f"class {name!r} is found at site {site!r} alone: without it nobody can learn it"
        for name, site in classes_of_one_site(manifest).items()
    ]
    return {
        "level": scorer.highest,
        "chosen": chosen,
        "warnings": warnings,
        "scores": [asdict(each) for each in scores],
    }


def _prior(by_site: OofTable, by_patient: OofTable) -> TwoWays:
    """Predict the class shares of the other sites' patients, and those of all."""
    left_out = np.empty((len(by_site.labels), by_site.classes))
    for fold in np.unique(by_site.fold):
        others = by_site.fold != fold
        left_out[~others] = class_prior(
            by_site.labels[others], by_site.classes, by_site.patients[others]
        )
    everyone = class_prior(by_patient.labels, by_patient.classes, by_patient.patients)
    return TwoWays("class prior", "prior", left_out, np.tile(everyone, (len(left_out), 1)))


def _members(names: Sequence[str], by_site: OofTable, by_patient: OofTable) -> Iterator[TwoWays]:
    for place, name in enumerate(names):
        left_out, grouped = (
            np.asarray(softmax(table.logits[:, place].astype(np.float64), axis=1))
            for table in (by_site, by_patient)
        )
        yield TwoWays(name, "member", left_out, grouped)


def _stack(
    kind: str, level: Level, by_site: OofTable, by_patient: OofTable, settings: Settings
) -> TwoWays:
    """Cross-fit by site, and by patient: a site's rows meet a stack that never saw the site."""
    left_out, grouped = (
        cross_fit(kind, table, settings).probabilities[level] for table in (by_site, by_patient)
    )
    return TwoWays(kind, "meta-learner", left_out, grouped)
