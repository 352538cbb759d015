"""`RunFolder`: where each artifact of one experiment lies, and whether it is complete."""

import json
import os
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from raymed.config import Cluster, Experiment, read_experiment, write_experiment
from raymed.data.holding import hold
from raymed.errors import InputError
from raymed.files import (
    lock_holder,
    read_json,
    take_lock,
    write_json,
    write_text,
)
from raymed.runs.lease import lease_of
from raymed.runs.member_folder import MemberFolder, now
from raymed.runs.mirror import SCRATCH, Mirror
from raymed.runs.store import RunStore, bring_one

SCHEMA = 1
"""How a run folder is laid out: raise it when an older raymed could misread a newer folder."""

LEFT_OUT_SITES, COMPARISON = "evaluations/sites", "comparison"
COPIES = "runs"
"""The folder of the cache for copies of run folders that lie in an object store."""
_LOCK = ".lock"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one experiment. Paths are given, nothing is read until asked for.

    One in an object store has a `store`; `path` is then where this machine, or another node that
    works for it, keeps a copy.
    """

    path: Path
    store: RunStore | None = None

    @classmethod
    def at(cls, path: Path | str) -> "RunFolder":
        """Name a run folder: a path, or an s3:// URL, whose copy lies in the cache."""
        if "://" in str(path):
            store = RunStore.at(str(path))
            return cls(Cluster().cache_folder.resolve() / COPIES / store.location.name, store)
        return cls(Path(path).expanduser().resolve())

    @classmethod
    def existing(cls, path: Path | str) -> "RunFolder":
        """Name a run folder that must already hold an experiment; one in a store is brought here.

        Where a process of this machine works in it, the copy is taken as it stands.
        """
        run = cls.at(path)
        run.bring()
        if not run.experiment_file.is_file():
            raise InputError(
                str(path), "is not a run folder (no experiment.yaml)", "build one: raymed build"
            )
        run.refuse_newer()
        return run

    def below(self, name: str) -> "RunFolder":
        """Give a run folder that lies in this one."""
        return RunFolder(self.path / name, self.store.below(name) if self.store else None)

    @property
    def place(self) -> str:
        """What a reader knows it by: its URL, or its path."""
        return str(self.path) if self.store is None else self.store.url

    def bring(self, *suffixes: str) -> None:
        """Bring what lies in a store here, or only the files that end so, to be read."""
        if self.store is None:
            return
        hold(self.path)
        lock = take_lock(self.path / _LOCK, "a reader")
        if lock is None:  # whoever works here has it up to date
            return
        with lock:
            mirror = Mirror(self.path, self.store)
            if suffixes:
                mirror.bring_some(suffixes)
            else:
                deque(mirror.bring(lease_of(self.store).get("attempt")), maxlen=0)

    def bring_inputs(self) -> None:
        """Have what units read of it on this node: manifest and folds, as the driver stored them.

        Raises `EngineError` where the store lacks them.
        """
        if self.store is not None:
            hold(self.path)
            for file in (self.manifest_file, self.folds_file):
                bring_one(self.store, file.name, file)

    @property
    def schema_file(self) -> Path:
        """Which layout the folder has."""
        return self.path / "schema.json"

    @property
    def experiment_file(self) -> Path:
        """The resolved experiment."""
        return self.path / "experiment.yaml"

    @property
    def manifest_file(self) -> Path:
        """The samples, classes in the schema metadata."""
        return self.path / "manifest.parquet"

    @property
    def folds_file(self) -> Path:
        """One fold a sample, -1 in the test split."""
        return self.path / "folds.parquet"

    @property
    def audit_file(self) -> Path:
        """What the check of the manifest found."""
        return self.path / "audit.json"

    @property
    def contact_file(self) -> Path:
        """Small images of some groups that the check proposes."""
        return self.path / "hidden_groups.parquet"

    @property
    def oof_file(self) -> Path:
        """The joined out-of-fold table."""
        return self.path / "oof.arrow"

    @property
    def stack_folder(self) -> Path:
        """The fitted stack."""
        return self.path / "stack"

    @property
    def metrics_file(self) -> Path:
        """Every figure of the report."""
        return self.path / "metrics.json"

    @property
    def gallery_file(self) -> Path:
        """The images that the report shows, with their saliency maps."""
        return self.path / "gallery.parquet"

    @property
    def augmented_file(self) -> Path:
        """Samples as augmentation left them in training, for the report."""
        return self.path / "augmented.parquet"

    @property
    def report_file(self) -> Path:
        """The report to open in a browser."""
        return self.path / "report.html"

    @property
    def evaluations_folder(self) -> Path:
        """What the stack is worth on external test sets, a folder each."""
        return self.path / "evaluations"

    @property
    def inference_file(self) -> Path:
        """How long members and stack take to predict an image."""
        return self.path / "inference.json"

    @property
    def comparison_folder(self) -> Path:
        """What `raymed compare` found."""
        return self.path / COMPARISON

    @property
    def study_folder(self) -> Path:
        """The study of `raymed tune`, and what is written down of it."""
        return self.path / "study"

    @property
    def trials_file(self) -> Path:
        """The study's trials as a report reads them."""
        return self.study_folder / "trials.json"

    @property
    def tensorboard_folder(self) -> Path:
        """The study as TensorBoard reads it."""
        return self.study_folder / "tensorboard"

    @property
    def best_recipe_file(self) -> Path:
        """The best trial's recipe, to paste."""
        return self.study_folder / "best.yaml"

    @property
    def selection_file(self) -> Path:
        """What the choice of the best trial is worth."""
        return self.study_folder / "selection.json"

    @property
    def left_out_sites(self) -> "RunFolder":
        """The members, folds, rows and figures of leave-one-site-out, laid out as here."""
        return self.below(LEFT_OUT_SITES)

    @property
    def report_folder(self) -> Path:
        """The report's tables and figures as files."""
        return self.path / "report"

    @property
    def log_folder(self) -> Path:
        """What Ray and the workers said."""
        return self.path / "log"

    @property
    def scratch(self) -> "Path | RunStore":
        """What a running Ray keeps here while a build uses it; gone when that ends."""
        return self.path / SCRATCH if self.store is None else self.store.below(SCRATCH)

    def member(self, member_id: str) -> MemberFolder:
        """Give the folder of one member."""
        name = f"members/{member_id}"
        store = self.store.below(name) if self.store is not None else None
        return MemberFolder(self.path / name, member_id, store)

    def experiment(self) -> Experiment:
        """Read the resolved experiment back."""
        return read_experiment(self.experiment_file)

    @property
    def secret(self) -> Path | None:
        """The file that makes its patients' pseudonyms; None where their own ids do."""
        patients = self.experiment().data.patients
        return None if patients is None else patients.secret

    def refuse_newer(self) -> None:
        """Refuse a folder that a newer raymed made: it may mean what this one cannot read."""
        if not self.schema_file.exists():
            return
        found = read_json(self.schema_file)
        schema = found.get("schema") if isinstance(found, dict) else None
        if not isinstance(schema, int) or schema > SCHEMA:
            raise InputError(
                str(self.schema_file),
                f"the run folder has schema {schema!r}, this raymed knows up to {SCHEMA}",
                "update raymed, or choose another folder with --run",
            )

    def refuse_other(self, experiment: Experiment) -> None:
        """Refuse a folder that belongs to another experiment.

        Recipes, ensemble, evaluation and cluster may change between builds: members carry their
        own identity. Name, seed and data may not: every member rests on them.
        """
        self.refuse_newer()
        if not self.experiment_file.exists():
            return
        before = self.experiment()
        for key in ("name", "seed", "data"):
            was, is_ = getattr(before, key), getattr(experiment, key)
            if key == "data":  # what is acknowledged changes no sample
                was = was.model_copy(update={"acknowledge": is_.acknowledge})
            if was != is_:
                raise InputError(
                    self.place,
                    f"belongs to another experiment: {_first_difference(key, was, is_)}",
                    "choose another folder with --run, or delete this one",
                )

    def write_experiment(self, experiment: Experiment) -> None:
        """Write the resolved experiment down: from now on the folder is its."""
        write_json(self.schema_file, {"schema": SCHEMA})
        write_text(self.experiment_file, write_experiment(experiment))

    @contextmanager
    def lock(self) -> Iterator[str]:
        """Hold the folder on this machine for one build; the kernel frees it when it dies.

        Gives how the holder is named.
        """
        holder = f"process {os.getpid()} on {socket.gethostname()} since {now()}"
        held = take_lock(self.path / _LOCK, holder)
        if held is None:
            raise InputError(
                self.place,
                f"another build works on this folder ({lock_holder(self.path / _LOCK)})",
                "wait for it, stop it, or choose another folder with --run",
            )
        if self.store is not None:
            hold(self.path)  # in the cache
        with held:
            yield holder

    def held_by(self) -> str | None:
        """Tell which process builds in the folder, None when none does."""
        here = lock_holder(self.path / _LOCK)
        if here is not None or self.store is None:
            return here
        lease = lease_of(self.store)
        return str(lease["holder"]) if lease.get("alive") else None


def _first_difference(key: str, was: Any, is_: Any) -> str:
    if isinstance(was, BaseModel) and isinstance(is_, BaseModel):
        was, is_ = was.model_dump(mode="json"), is_.model_dump(mode="json")
    if isinstance(was, dict) and isinstance(is_, dict):
        field = next(name for name in was if was[name] != is_.get(name))
        return _first_difference(f"{key}.{field}", was[field], is_.get(field))
    return f"there {key} is {json.dumps(was)}, here {json.dumps(is_)}"
