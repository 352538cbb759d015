"""An embedded Ray of our own: its own address, its own temporary folder, its logs kept."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from raymed.cluster.session import connected
from raymed.errors import EngineError

_PREFIX = "raymed-"
MARK = "RAYMED_SESSION"
"""All of a session's processes carry its folder in this variable of their environment."""
_OBJECT_STORE_BYTES = 100 * 1024**2  # progress reports only: images are memory-mapped


@contextmanager
def embedded_ray(cpus: int, gpus: int, log_folder: Path) -> Iterator[Path]:
    """Start a local Ray with `cpus` and `gpus`, and take it down again; gives a scratch folder.

    Other Rays on the machine are left alone, RAY_ADDRESS is not followed. Its logs are kept in
    `log_folder`, also when the block fails. Raises `InputError` in a process that is connected
    to a Ray already.
    """
    folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getpid()}"
    start = partial(_start, cpus, gpus, folder, log_folder)
    with connected(start, partial(_tidy, folder, log_folder), **{MARK: str(folder)}):
        _hide_token()
        yield folder / "scratch"


def _start(cpus: int, gpus: int, folder: Path, log_folder: Path) -> None:
    import ray

    _remove_leftovers()
    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_OBJECT_STORE_BYTES,
            _temp_dir=str(folder),
        )
    except Exception as error:
        raise EngineError(
            f"Ray could not be started on this machine ({type(error).__name__}: {error}); run the "
            f"same command again, when the machine is less busy; logs: {log_folder}"
        ) from error


def _hide_token() -> None:
    """Keep Ray's authentication token from other users: Ray writes it readable by all."""
    token = Path.home() / ".ray" / "auth_token"
    if token.is_file() and token.stat().st_uid == os.getuid():
        token.chmod(0o600)


def _tidy(folder: Path, log_folder: Path) -> None:
    _keep_logs(folder, log_folder)
    shutil.rmtree(folder, ignore_errors=True)


def _keep_logs(folder: Path, log_folder: Path) -> None:
    """Copy what Ray and the workers wrote, where it is not empty, as far as there is space."""
    with suppress(OSError):
        log_folder.mkdir(parents=True, exist_ok=True)
        for log in sorted(folder.glob("session_*/logs/*")):
            if log.is_file() and not log.is_symlink() and log.stat().st_size:
                shutil.copyfile(log, log_folder / log.name)


def _remove_leftovers() -> None:
    """End the processes of builds that were killed, and remove their folders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX)
        if number.isdigit() and not psutil.pid_exists(int(number)):
            _end_processes(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _end_processes(session: Path) -> None:
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # another user's, or gone meanwhile
            if process.environ().get(MARK) == str(session):
                process.kill()
