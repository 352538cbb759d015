"""A session: this process connected to a Ray, with a quiet terminal, until a block ends."""

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from raymed.errors import InputError

_log = logging.getLogger(__name__)

SETTINGS = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # workers use the driver's own interpreter
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextmanager
def connected(
    connect: Callable[[], None], tidy: Callable[[], None], **settings: str
) -> Iterator[None]:
    """Call `connect`, which connects this process to a Ray; at the end disconnect it, and `tidy`.

    `settings` are environment variables beside ours. A signal handler that Ray puts in the place of
    ours is taken back. Raises `InputError` in a process that is connected to a Ray already.
    """
    with environment({**SETTINGS, **settings}):
        import ray  # after the settings, and only when something is to run
        from ray._private import ray_constants

        ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False  # when Ray was imported before
        if ray.is_initialized():
            raise InputError(
                "this process", "is connected to a Ray already", "call ray.shutdown() first"
            )
        with _quiet_raylet():
            try:
                with _own_handler():
                    connect()
                yield
            finally:
                _shut_down()
                tidy()


def _shut_down() -> None:
    """Disconnect from Ray while no garbage is collected, in no thread.

    Where a thread frees a reference to an object of Ray amid the shutdown, Ray ends the whole
    process with code 1 and without a word; and Python collects cycles in whichever is at work.
    """
    import ray

    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _own_handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
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


def address_here() -> str:
    """Give the address of the running Ray, HOST:PORT."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


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
