"""An embedded Ray of our own: its own address, its own temporary folder, a quiet terminal."""

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from raymed.errors import EngineError, InputError

_log = logging.getLogger(__name__)

_PREFIX = "raymed-"
_SETTINGS = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # workers use the driver's own interpreter
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_MARK = "RAYMED_SESSION"
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
    with environment({**_SETTINGS, _MARK: str(folder)}):
        import ray  # after the settings, and only when something is to run
        from ray._private import ray_constants

        ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False  # when Ray was imported before
        if ray.is_initialized():
            raise InputError(
                "this process", "is connected to a Ray already", "call ray.shutdown() first"
            )
        _remove_leftovers()
        with _quiet_raylet():
            try:
                _start(cpus, gpus, folder, log_folder)
                _hide_token()
                yield folder / "scratch"
            finally:
                ray.shutdown()
                _keep_logs(folder, log_folder)
                shutil.rmtree(folder, ignore_errors=True)


def _start(cpus: int, gpus: int, folder: Path, log_folder: Path) -> None:
    """Start Ray; a signal handler that it puts in the place of ours is taken back."""
    import ray

    handler = signal.getsignal(signal.SIGTERM)
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
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)


@contextmanager
def _quiet_raylet() -> Iterator[None]:
    """Log what the raylet tells the driver: Ray prints it, whatever `log_to_driver` says."""
    from ray._private import worker

    printing = worker.print_to_stdstream

    def log(data: Mapping[str, Any], ignore_prefix: bool) -> None:
        _log.info("\n".join(data["lines"]))

    worker.print_to_stdstream = log
    try:
        yield
    finally:
        worker.print_to_stdstream = printing


def count_nodes() -> int:
    """Count the machines of the running Ray."""
    import ray

    return sum(bool(node["Alive"]) for node in ray.nodes())


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _hide_token() -> None:
    """Keep Ray's authentication token from other users: Ray writes it readable by all."""
    token = Path.home() / ".ray" / "auth_token"
    if token.is_file() and token.stat().st_uid == os.getuid():
        token.chmod(0o600)


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
            if process.environ().get(_MARK) == str(session):
                process.kill()
