"""Processes that start at once: forked off a server that has imported all they need."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess

_PRELOADED = ["tests.data.decoded.decoder", "tests.search.driver", "raymed.training"]
"""Of all tests: one server serves them, and takes no further modules once it runs."""


def forked(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Start a process that calls a function of a module with arguments."""
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def exit_code(process: ForkServerProcess, seconds: float) -> int | None:
    """Wait for a process to end; None where it does not within so many seconds."""
    process.join(seconds)
    return process.exitcode
