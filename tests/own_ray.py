"""Scripts that start a plain Ray of their own, each in a process of its own."""

import os
import subprocess
import sys

ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # a process keeps its first mode: hence a process of its own
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # or tests under `uv run` get an environment per Ray
    "RAY_USAGE_STATS_ENABLED": "0",
}


def run_script(script: str, *arguments: object, timeout: int) -> subprocess.CompletedProcess[str]:
    """Run the Python `script` to its end, at most `timeout` seconds, and give what it said."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
