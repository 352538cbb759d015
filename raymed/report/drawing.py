"""Run as a program: draws the figures that come in as JSON, in one browser, by Kaleido.

A process of its own, for a browser may hang whatever the library promises: whoever started this
can end it. It imports nothing of raymed, so that it starts at once.
"""

import json
import sys

import kaleido
from kaleido.errors import ChromeNotFoundError

NO_BROWSER = 4  # the exit code; export.py knows it


def main() -> int:
    """Draw `[{fig, path, opts}, ...]` from stdin; 0 when all are drawn."""
    try:
        kaleido.write_fig_from_object_sync(
            json.load(sys.stdin), cancel_on_error=True, kopts={"mathjax": False}
        )
    except ChromeNotFoundError:
        return NO_BROWSER
    return 0


if __name__ == "__main__":
    sys.exit(main())
