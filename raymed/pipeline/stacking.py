"""Out-of-fold rows joined, the stack fitted and scored."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from raymed.config import Experiment
from raymed.ensemble import (
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
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import Scorer
from raymed.pipeline.scores import score_run, stack_on_test
from raymed.runs import RunFolder


def join_oof(run: RunFolder, complete: list[Member], prepared: Prepared) -> OofTable:
    """Join the complete members' out-of-fold rows into one table in a file."""
    files = {member.id: member.folder.path / "oof.parquet" for member in complete}
    names = {member.id: member.name for member in complete}
    return join_members(files, prepared.manifest, prepared.folds, run.oof_file, names)


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
    facts = [
        oof.metadata["members"],
        prepared.manifest.content,
        prepared.folds.content,
        sorted(failed.items()),
        experiment.ensemble.model_dump(),
        experiment.evaluate.model_dump(exclude={"sharpness", "surfaces"}),  # diagnostics
    ]
    about = digest(facts)
    scored = run.metrics_file.exists() and read_json(run.metrics_file).get("about") == about
    if not scored or complete_marker(run.stack_folder) is None:
        yield Stage("fitting and scoring the stack")
        wish = experiment.ensemble
        settings = Settings(wish.penalty, wish.calibration, experiment.seed)
        candidates = [cross_fit(kind, oof, settings) for kind in wish.meta_learners]
        chosen = choose(candidates, oof)
        fitted: dict[str, MetaLearner] = {
            kind: fit_meta_learner(kind, oof.logits, oof.labels, oof.patients, settings)
            for kind in wish.meta_learners
        }
        names = {member.id: member.name for member in complete}
        learner = fitted[chosen.kind]
        stack = assemble_stack(learner, oof, names, prepared.manifest.classes)
        analysis = Analysis(
            Scorer(experiment, prepared),
            oof,
            chosen.probabilities,
            stack_on_test(learner, complete, prepared),
        )
        conformal = analysis.conformal()
        write_stack(replace(stack, conformal=conformal), run.stack_folder)
        metrics = score_run(
            experiment, prepared, complete, oof, candidates, chosen, fitted, failed, machine
        )
        beyond = analysis.facts(complete, conformal)
        write_json(run.metrics_file, {"about": about, **metrics, **beyond})
