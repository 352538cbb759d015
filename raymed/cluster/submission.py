"""What is asked of a cluster when a verb is submitted, as Ray's Jobs API is told."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymed.errors import InputError

JOINED = "cluster.address=auto"
"""What joins a job to its cluster."""

STOP_SECONDS = 30
"""How long a job that is stopped has to end by itself before Ray kills it."""

_VERB, _EXPERIMENT, _RUN = "raymed.verb", "raymed.experiment", "raymed.run"
_ADDRESS = "http://127.0.0.1:8265"


@dataclass(frozen=True)
class Submission:
    """A verb, the experiment that the package holds, the run folder, and the verb's options."""

    verb: str
    experiment: str
    run: str
    options: tuple[str, ...] = ()
    python: str = "python"
    """As the head's shell reads it, so that $HOME means the home there."""

    @property
    def command(self) -> str:
        """The shell command, for a working directory that is the package."""
        what = ("-m", "raymed.cli", self.verb, f"{self.experiment}.yaml", JOINED)
        words = (*what, "--run", self.run, *self.options)
        return f"{self.python} {shlex.join(words)}"

    @property
    def metadata(self) -> dict[str, str]:
        """What `raymed jobs` reads back."""
        return {_VERB: self.verb, _EXPERIMENT: self.experiment, _RUN: self.run}


@dataclass(frozen=True)
class VisitOrder:
    """`raymed doctor` as a job: of an experiment that the package holds, and a run folder."""

    experiment: str | None = None
    run: str | None = None
    python: str = "python"

    @property
    def command(self) -> str:
        """The shell command, for a working directory that is the package."""
        config = [] if self.experiment is None else [f"{self.experiment}.yaml"]
        run = [] if self.run is None else ["--run", self.run]
        words = ("-m", "raymed.cli", "doctor", *config, "--address", "auto", "--json", *run)
        return f"{self.python} {shlex.join(words)}"

    @property
    def metadata(self) -> dict[str, str]:
        """What `raymed jobs` reads back; it works on no run folder, so that none is held."""
        return {_VERB: "doctor", _EXPERIMENT: self.experiment or "", _RUN: ""}


def runtime_env(package: Path) -> dict[str, Any]:
    """Give Ray's runtime environment: the package over what the nodes have installed.

    Ray puts the package first in PYTHONPATH, of the job and of its workers. Nothing is installed:
    under `uv run` Ray would otherwise build an environment for every job.
    """
    variables = {
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS),
    }
    return {"working_dir": str(package), "env_vars": variables}


@dataclass(frozen=True)
class Job:
    """A job as the cluster tells of it; times in seconds since 1970."""

    id: str
    verb: str
    experiment: str
    run: str
    state: str
    ended: bool
    start: float | None
    end: float | None
    exit_code: int | None
    message: str

    @classmethod
    def of(cls, details: Any) -> "Job":
        """Read Ray's `JobDetails`."""
        facts: Mapping[str, str] = details.metadata or {}
        start, end, code = details.start_time, details.end_time, details.driver_exit_code
        return cls(
            id=details.submission_id or details.job_id,
            verb=facts.get(_VERB, ""),
            experiment=facts.get(_EXPERIMENT, ""),
            run=facts.get(_RUN, ""),
            state=details.status.value.lower(),
            ended=details.status.is_terminal(),
            start=start / 1000 if start else None,
            end=end / 1000 if end else None,
            exit_code=code if code is None or code >= 0 else 128 - code,
            message=details.message or "",
        )


def dashboard_address(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Name where the Jobs API answers: as given, as Ray's variables say, or on this machine."""
    if given is None:
        known = (environ.get(name, "") for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"))
        given = next((url for url in known if _is_web(url)), _ADDRESS)
    if not _is_web(given):
        raise InputError(given, "is no address of the Jobs API", f"write {_ADDRESS}")
    return given.rstrip("/")


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))
