"""A Ray that runs already: this process joins it, uses its nodes, and leaves it as it was."""

import logging
import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from raymed.cluster.scratch import Scratch, make, remove
from raymed.cluster.session import connected
from raymed.errors import InputError
from raymed.files import write_json

PLACE = "cluster.address"
LOGS = "cluster.json"
"""What the log folder says of a Ray that was joined."""
_CONNECT_SECONDS, _ANSWER_SECONDS, _TOKEN_SECONDS = 5, 25, 15
_ANSWERS = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")
_START_RAY = "start it with `ray start --head`, or leave cluster.address out"


@contextmanager
def attached_ray(address: str, scratch: Scratch, log_folder: Path) -> Iterator[Scratch]:
    """Join the Ray at an address (`auto` or `HOST:PORT`) and leave it again; gives `scratch`.

    `scratch` must be a place that every node reaches; it is made, and removed with what lies in it.
    Ray's logs stay on its nodes: `log_folder` gets a `cluster.json` that says where, and where
    Ray's dashboard is (null where there is none). Raises
    `InputError` where no Ray answers in half a minute or this machine is none of its nodes, and in
    a process that is connected already.
    """
    with connected(partial(_join, address), partial(remove, scratch)):
        make(scratch)
        _note_logs(log_folder)
        yield scratch


@contextmanager
def joined_ray(address: str) -> Iterator[None]:
    """Join the Ray at an address and leave it again, as `attached_ray`, without a trace there."""
    with connected(partial(_join, address), lambda: None):
        yield


def lets_in_without_token(address: str) -> bool | None:
    """Tell whether the Ray at `HOST:PORT` answers one who has no token; None where none does."""
    said = _asked(address, {"RAY_AUTH_MODE": "disabled"}, _TOKEN_SECONDS)
    if said is None:
        return None
    return not said.returncode


def _join(address: str) -> None:
    import ray

    address = _known_address(address)
    _refuse_silent(address)
    try:
        ray.init(
            address=address,
            namespace=f"raymed-{uuid.uuid4().hex[:8]}",
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:
        _refuse_other_version(address, str(error))
        why = str(error).strip().splitlines()[0]
        raise InputError(
            PLACE,
            f"the Ray at {address} cannot be joined from this machine ({type(error).__name__}: "
            f"{why})",
            "run raymed on one of its nodes, in its environment, as `ray job submit` does",
        ) from error


def _refuse_other_version(address: str, said: str) -> None:
    """Raise `InputError` where Ray said that its head has other versions than this process."""
    found = _VERSIONS.findall(said)
    if "Version mismatch" not in said or len(found) != 2:
        return
    (ray, python), (own_ray, own_python) = found
    fault = (
        f"the Ray at {address} runs Ray {ray} on Python {python}, this process has Ray {own_ray} "
        f"on Python {own_python}"
    )
    raise InputError(PLACE, fault, "give all machines one environment, or call its own raymed")


def _known_address(address: str) -> str:
    """Find what `auto` means: RAY_ADDRESS, or what `ray start` has begun on this machine.

    Another program's embedded Ray is not meant.
    """
    if address != "auto":
        return address
    from ray._private.services import find_bootstrap_address

    found = os.environ.get("RAY_ADDRESS") or find_bootstrap_address(None)
    if found is None:
        fault = "is auto, but RAY_ADDRESS is not set and `ray start` has begun no Ray here"
        raise InputError(PLACE, fault, _START_RAY)
    if "://" in found:
        fault = f"is auto, and RAY_ADDRESS is {found}, a client's address"
        raise InputError(PLACE, fault, "set it to HOST:PORT of the head")
    return str(found)


def _refuse_silent(address: str) -> None:
    """Raise `InputError` unless a Ray answers: Ray itself would try for minutes, and say so.

    A port that is open may belong to anything: a process of its own asks, which can be ended.
    """
    parts = urlsplit(f"//{address}")
    try:
        socket.create_connection((parts.hostname, parts.port), _CONNECT_SECONDS).close()
    except OSError as error:
        raise InputError(PLACE, f"nothing answers at {address} ({error})", _START_RAY) from None
    said = _asked(address, {})
    if said is None:
        fault = f"what listens at {address} did not answer as Ray's head in {_ANSWER_SECONDS} s"
        raise InputError(PLACE, fault, "give the head's GCS port, 6379 by default")
    if said.returncode:
        why = said.stderr.decode(errors="replace").strip().splitlines()[-1:]
        fault = f"the Ray at {address} refuses this process ({''.join(why)})"
        raise InputError(PLACE, fault, "see that both have the same Ray and the same token")


def _asked(
    address: str, environment: Mapping[str, str], seconds: float = _ANSWER_SECONDS
) -> "subprocess.CompletedProcess[bytes] | None":
    ask = [sys.executable, "-c", _ANSWERS, address]
    try:
        return subprocess.run(
            ask,
            env={**os.environ, **environment},
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _note_logs(log_folder: Path) -> None:
    """Write down which job of which Ray this is: its number stands in the names of logs."""
    import ray

    context = ray.get_runtime_context()
    session = ray._private.worker.global_worker.node.get_session_dir_path()
    nodes = [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]
    board = ray._private.worker.get_dashboard_url() or None
    facts = {"address": context.gcs_address, "job": context.get_job_id(), "dashboard": board}
    write_json(log_folder / LOGS, {**facts, "logs": f"{session}/logs", "nodes": nodes})
