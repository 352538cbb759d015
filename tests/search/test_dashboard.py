"""optuna-dashboard shows a study's journal in a real browser, while a driver writes to it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raymed.search import SharedStudy
from raymed.search.storage import JOURNAL
from tests.report.browser import CHROMIUM, QUIET
from tests.search.conftest import run_folds

DASHBOARD = shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(DASHBOARD is None, reason="no optuna-dashboard"),
]


@pytest.fixture
def study(driver: Callable[..., SharedStudy]) -> SharedStudy:
    """A study of one finished trial."""
    study = driver()
    study.finish(run_folds(study, [0.5, 0.5, 0.5]), [0.4375])
    return study


@pytest.fixture
def address(study: SharedStudy) -> Iterator[str]:
    """Where the real dashboard shows the study's journal."""
    assert DASHBOARD is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [DASHBOARD, str(study.folder / JOURNAL), "--host=127.0.0.1", f"--port={port}"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/dashboard"
    try:
        for _ in range(600):
            assert server.poll() is None, "the dashboard has ended"
            try:
                urllib.request.urlopen(address, timeout=10).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def page(address: str, scratch: Path) -> str:
    """The words of a page, as the browser drew it without any network but loopback."""
    assert CHROMIUM is not None
    options = [option.replace("+", " ") for option in QUIET.split()]
    hosts = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    options = [hosts if "host-resolver" in option else option for option in options]
    profile = f"--user-data-dir={scratch / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *options, profile, "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return re.sub(r"<[^>]*>", " ", done.stdout)


def test_the_dashboard_shows_the_study_and_what_a_driver_adds_and_writes_nothing(
    study: SharedStudy, address: str, tmp_path: Path
) -> None:
    journal = study.folder / JOURNAL
    before = journal.read_bytes()
    assert re.search(r"\btoy\b", page(address, tmp_path))
    shown = page(f"{address}/studies/0", tmp_path)
    assert re.search(r"Best Trial \(number=0\)\s+0\.4375\b", shown)
    assert journal.read_bytes() == before
    assert sorted(os.listdir(study.folder)) == [JOURNAL, "study.lock"]

    study.finish(run_folds(study, [0.25, 0.25, 0.25]), [0.21875])

    assert re.search(
        r"Best Trial \(number=1\)\s+0\.21875\b", page(f"{address}/studies/0", tmp_path)
    )
