"""The command line: alone in reading arguments and printing."""

import sys

import typer

from raymed.cli.verbs import app
from raymed.errors import RaymedError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an error that a user can act on is one message, no traceback."""
    try:
        app()
    except RaymedError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
