"""The command line: alone in reading arguments and printing."""

import sys
from typing import NoReturn

import typer

from raymed.cli.verbs import app
from raymed.errors import DiskFullError, RaymedError
from raymed.files import lacks_space

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an error that a user can act on is one message, no traceback."""
    try:
        app()
    except RaymedError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        if not lacks_space(error):
            raise
        _fail(str(DiskFullError.at(error)), DiskFullError.exit_code)


def _fail(message: str, code: int) -> NoReturn:
    typer.secho(f"error: {message}", fg=typer.colors.RED, err=True)
    sys.exit(code)
