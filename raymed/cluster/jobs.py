"""Jobs of a cluster, through Ray's Jobs API: submit, list, follow, stop. Needs `ray[default]`.

Ray's client finds the token by itself: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from raymed.cluster.session import environment
from raymed.cluster.spreading import Node
from raymed.cluster.submission import STOP_SECONDS, Job, Submission, VisitOrder, runtime_env
from raymed.errors import EngineError, InputError

_ANSWER_SECONDS = (10, 30)
"""How long the head has to take a connection, and to answer."""
_QUIET_SECONDS = 20.0
"""After such a silence in a log, the head is asked whether the job, and it itself, still lives."""
_LOST_SECONDS = 300.0
_POLL_SECONDS = 1.0
_TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)


class _Client(JobSubmissionClient):  # type: ignore[misc]  # Ray has no types
    """Ray's client, which otherwise waits for an answer for ever."""

    def _do_request(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super()._do_request(*arguments, timeout=_ANSWER_SECONDS, **options)
        except OSError as error:  # of requests too
            raise _silent(self._address, error) from None

    def asked(self, path: str) -> Any:
        """Ask the head for JSON."""
        answer = self._do_request("GET", path)
        if answer.status_code != 200:
            self._raise_error(answer)
        return answer.json()


def _silent(address: str, error: OSError) -> InputError:
    return InputError(
        address,
        f"no Ray head answers there ({type(error).__name__})",
        "check the address, that the head runs, and that its dashboard does (ray[default])",
    )


class Jobs:
    """The jobs of the cluster at an address. What it refuses is an `InputError`."""

    def __init__(self, address: str) -> None:
        """Reach the head at `address`, an http:// or https:// URL, or say why not."""
        self.address = address
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        # Ray leaves the line of a log that fell quiet to the collector, which tells of it
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        with environment({"RAY_API_SERVER_ADDRESS": address}), self._asking():  # it goes before
            self._client = _Client(address)

    def submit(self, wish: Submission, package: Path, job_id: str | None = None) -> str:
        """Submit a job and return its id; a run folder has one job at a time."""
        for job in self.list():
            if not job.ended and job.run == wish.run:
                raise InputError(
                    wish.run,
                    f"the job {job.id} ({job.verb}, {job.state}) works on this folder",
                    f"follow it: raymed logs {job.id} --follow; or stop it: raymed stop {job.id}",
                )
        with self._asking():
            submitted: str = self._client.submit_job(
                entrypoint=wish.command,
                submission_id=job_id,
                runtime_env=runtime_env(package),
                metadata=wish.metadata,
            )
        return submitted

    def order(self, visit: VisitOrder, package: Path) -> str:
        """Submit `raymed doctor` and return the job's id."""
        with self._asking():
            submitted: str = self._client.submit_job(
                entrypoint=visit.command,
                runtime_env=runtime_env(package),
                metadata=visit.metadata,
            )
        return submitted

    def forget(self, job_id: str) -> None:
        """Have the head forget a job that has ended."""
        with self._asking(job_id):
            self._client.delete_job(job_id)

    def ray_version(self) -> str:
        """Ask for the head's version of Ray."""
        with self._asking():
            return str(self._client.asked("/api/version")["ray_version"])

    def nodes(self) -> "list[Node]":  # `list` is a method below
        """Ask which nodes the cluster has now."""
        with self._asking():
            told = self._client.asked("/api/v0/nodes?limit=10000")["data"]["result"]["result"]
        return [
            Node.of(node["node_ip"], node["resources_total"])
            for node in told
            if node["state"] == "ALIVE"
        ]

    def asks_for_token(self) -> bool:
        """Tell whether the head refuses one who has no token."""
        try:
            said = requests.get(
                f"{self.address}/api/jobs/", timeout=_ANSWER_SECONDS, allow_redirects=False
            )
        except OSError as error:
            raise _silent(self.address, error) from None
        return said.status_code in (401, 403)

    def list(self) -> list[Job]:
        """List the jobs that raymed submitted, the newest first."""
        with self._asking():
            jobs = [Job.of(details) for details in self._client.list_jobs()]
        return sorted((job for job in jobs if job.verb), key=lambda job: -(job.start or 0))

    def find(self, job_id: str) -> Job:
        """Ask for one job."""
        with self._asking(job_id):
            return Job.of(self._client.get_job_info(job_id))

    def log(self, job_id: str) -> str:
        """Return what a job has printed so far."""
        with self._asking(job_id):
            text: str = self._client.get_job_logs(job_id)
        return text

    def follow(self, job_id: str) -> Iterator[str]:
        """Yield what a job prints, until it ends.

        A connection that breaks is made again; raises `EngineError` when the head stays away.
        """
        seen, answered = 0, time.monotonic()
        ended = self.find(job_id).ended
        with asyncio.Runner() as runner:
            while True:
                position = 0
                for text in self._tail(runner, job_id):
                    answered = time.monotonic()
                    position += len(text)
                    if position > seen:
                        yield text[max(0, seen - position + len(text)) :]
                        seen = position
                if ended:
                    return
                try:
                    ended = self.find(job_id).ended  # then its log is read once more, to the end
                    answered = time.monotonic()
                except InputError as error:
                    if time.monotonic() - answered > _LOST_SECONDS:
                        raise EngineError(f"the job {job_id} may go on, but {error}") from None
                time.sleep(_POLL_SECONDS)

    def _tail(self, runner: asyncio.Runner, job_id: str) -> Iterator[str]:
        """Yield a log from its beginning, until it ends, is quiet for long, or the line breaks."""
        stream = self._client.tail_job_logs(job_id)
        try:
            while True:
                yield runner.run(asyncio.wait_for(anext(stream), _QUIET_SECONDS))
        except (StopAsyncIteration, OSError, RuntimeError, aiohttp.ClientError):
            return  # TimeoutError is an OSError

    def stop(self, job_id: str) -> Job:
        """Stop a job and wait until it has ended; a job that has ended already stays as it is."""
        with self._asking(job_id):
            self._client.stop_job(job_id)
        deadline = time.monotonic() + 2 * STOP_SECONDS
        while not (job := self.find(job_id)).ended:
            if time.monotonic() > deadline:
                raise EngineError(
                    f"the job {job_id} was told to stop, and is {job.state} after "
                    f"{2 * STOP_SECONDS} s still; look again with raymed jobs"
                )
            time.sleep(_POLL_SECONDS)
        return job

    @contextmanager
    def _asking(self, job_id: str = "") -> Iterator[None]:
        try:
            yield
        except AuthenticationError as error:
            said = str(error).strip().splitlines()[0].split(". ")[0]
            raise InputError(
                self.address,
                f"wants a token that this client does not have ({said})",
                "give the cluster's: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or ~/.ray/auth_token",
            ) from None
        except (RuntimeError, ValueError, KeyError) as error:
            if "does not exist" in str(error) and job_id:
                raise InputError(
                    job_id, f"no such job at {self.address}", "raymed jobs lists them"
                ) from None
            raise InputError(self.address, f"refuses: {error}") from None
