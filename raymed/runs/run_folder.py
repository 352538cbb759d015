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
    lacks_space,
    lock_holder,
    read_json,
    take_lock,
    write_json,
    write_text,
)
from raymed.runs.artifacts import LEFT_OUT_SITES, Artifacts
from raymed.runs.lease import lease_of
from raymed.runs.member_folder import MemberFolder, now
from raymed.runs.mirror import SCRATCH, Mirror
from raymed.runs.store import RunStore, bring_one

SCHEMA = 1
"""How a run folder is laid out: raise it when an older raymed could misread a newer folder."""

COPIES = "runs"
"""The folder of the cache for copies of run folders that lie in an object store."""
_LOCK = ".lock"


@dataclass(frozen=True)
class RunFolder(Artifacts):
    """The folder of one experiment. Paths are given, nothing is read until asked for.

    One in an object store has a `store`; `path` is then where this machine, or another node that
    works for it, keeps a copy.
    """

    store: RunStore | None = None

    @classmethod
    def of(cls, experiment: Experiment, path: Path | str | None = None) -> "RunFolder":
        """Name the run folder of an experiment: as asked, or `./runs/<name>`."""
        path = path if path is not None else Path("runs") / experiment.name
        return cls.at(path, experiment.cluster)

    @classmethod
    def at(cls, path: Path | str, cluster: Cluster | None = None) -> "RunFolder":
        """Name a run folder: a path, or an s3:// URL, whose copy lies in the cluster's cache."""
        if "://" in str(path):
            store, cache = RunStore.at(str(path)), (cluster or Cluster()).cache_folder
            return cls(cache.resolve() / COPIES / store.location.name, store)
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
            mirror, attempt = Mirror(self.path, self.store), lease_of(self.store).get("attempt")
            if suffixes:
                mirror.bring_some(suffixes, attempt)
            else:
                deque(mirror.bring(attempt), maxlen=0)

    def bring_inputs(self) -> None:
        """Have what units read of it on this node: manifest and folds, as the driver stored them.

        Raises `EngineError` where the store lacks them.
        """
        if self.store is not None:
            hold(self.path)
            for file in (self.manifest_file, self.folds_file):
                bring_one(self.store, file.name, file)

    @property
    def left_out_sites(self) -> "RunFolder":
        """The members, folds, rows and figures of leave-one-site-out, laid out as here."""
        return self.below(LEFT_OUT_SITES)

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
        try:
            held = take_lock(self.path / _LOCK, holder)
        except OSError as error:
            if lacks_space(error):
                raise
            fault = f"cannot be written to ({error.strerror})"
            raise InputError(self.place, fault, "choose another folder with --run") from None
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
