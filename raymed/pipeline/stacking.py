"""Out-of-fold rows joined, the stack fitted and scored."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from raymed.config import Experiment
from raymed.ensemble import (
    Candidate,
    MetaLearner,
    OofTable,
    Settings,
    assemble_stack,
    choose,
    cross_fit,
    fit_meta_learner,
    join_members,
    write_stack,
)
from raymed.files import complete as complete_marker
from raymed.files import digest, read_json, write_json
from raymed.pipeline.analysis import Analysis
from raymed.pipeline.curves import curve_facts
from raymed.pipeline.doubt import doubt_facts
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.inference import measure_inference
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import Scorer
from raymed.pipeline.scores import score_run, stack_on_test
from raymed.pipeline.subgroups import said_of_groups, subgroup_facts
from raymed.runs import RunFolder

SCHEMA = 3
"""Raise it when the same rows come to another stack or other figures: older runs score anew."""
_SCORED_APART = {"sharpness", "surfaces", "sites"}
"""Settings of `evaluate` that no figure of the stack depends on."""


def join_oof(run: RunFolder, complete: list[Member], prepared: Prepared) -> OofTable:
    """Join the complete members' out-of-fold rows into one table in a file."""
    files = {member.id: member.oof_file for member in complete}
    names = {member.id: member.name for member in complete}
    return join_members(files, prepared.manifest, prepared.folds, run.oof_file, names)


def meta_settings(experiment: Experiment) -> Settings:
    """Say how the experiment wants its meta-learners fitted."""
    wish = experiment.ensemble
    return Settings(wish.penalty, wish.calibration, experiment.seed)


def stack_and_score(
    experiment: Experiment,
    run: RunFolder,
    prepared: Prepared,
    complete: list[Member],
    oof: OofTable,
    failed: dict[str, str],
    machine: dict[str, Any],
) -> Iterator[Event]:
    """Fit and score the stack, unless it stands already for these very rows."""
    about = _about(experiment, prepared, oof, failed)
    scored = run.metrics_file.exists() and read_json(run.metrics_file).get("about") == about
    if scored and complete_marker(run.stack_folder) is not None:
        return
    candidates, fitted = yield from _fitted(experiment, oof)
    chosen = choose(candidates, oof)
    learner = fitted[chosen.kind]
    yield Stage("scoring the stack")
    on_test = stack_on_test(learner, complete, prepared)
    analysis = Analysis(Scorer(experiment, prepared), oof, chosen.probabilities, on_test)
    conformal = analysis.conformal()
    names = {member.id: member.name for member in complete}
    stack = assemble_stack(learner, oof, names, prepared.manifest.classes)
    write_stack(replace(stack, conformal=conformal), run.stack_folder)
    metrics = score_run(
        experiment, prepared, complete, oof, candidates, chosen, fitted, failed, machine
    )
    joined = {name: fitted[name] for name in fitted if name == "mean"} | {"stack": learner}
    beyond = {
        **analysis.facts(complete, conformal),
        **_doubts(experiment, oof, complete, chosen, learner),
        "curves": curve_facts(analysis, complete),
        "subgroups": subgroup_facts(analysis.scorer, chosen.probabilities, on_test),
        "inference": measure_inference(
            run.inference_file, complete, joined, prepared, machine["own_device"]
        ),
    }
    write_json(run.metrics_file, {"about": about, **metrics, **beyond})


def _fitted(
    experiment: Experiment, oof: OofTable
) -> Generator[Event, None, tuple[list[Candidate], dict[str, MetaLearner]]]:
    """Fit every meta-learner: cross-fitted, by which one is chosen, and on all rows to predict."""
    settings, kinds = meta_settings(experiment), experiment.ensemble.meta_learners
    candidates, fitted = list[Candidate](), dict[str, MetaLearner]()
    for done, kind in enumerate(kinds):
        yield Stage("fitting the stack", done, len(kinds))
        candidates.append(cross_fit(kind, oof, settings))
        fitted[kind] = fit_meta_learner(kind, oof.logits, oof.labels, oof.patients, settings)
    return candidates, fitted


def _doubts(
    experiment: Experiment,
    oof: OofTable,
    complete: list[Member],
    chosen: Candidate,
    learner: MetaLearner,
) -> dict[str, Any]:
    draws, stacked = experiment.evaluate.draws, chosen.probabilities["image"]
    weights, seed = learner.member_weights, experiment.seed
    return doubt_facts(oof, complete, stacked, weights, draws=draws, seed=seed)


def _about(
    experiment: Experiment, prepared: Prepared, oof: OofTable, failed: dict[str, str]
) -> str:
    """Name all that a stack and its figures rest on."""
    return digest(
        [
            SCHEMA,
            oof.metadata["members"],
            prepared.manifest.content,
            prepared.folds.content,
            sorted(failed.items()),
            experiment.ensemble.model_dump(),
            experiment.evaluate.model_dump(mode="json", exclude=_SCORED_APART),
            said_of_groups(prepared.manifest, experiment.evaluate.subgroups),
        ]
    )
