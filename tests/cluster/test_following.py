"""Following a job over lines that break, on a small server of the Jobs API."""

import asyncio
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
from aiohttp import web

from raymed.cluster import jobs as client
from raymed.cluster.jobs import Jobs
from raymed.errors import EngineError, InputError

pytestmark = [  # both in Ray's client: what it tells aiohttp, and a line that it does not close
    pytest.mark.filterwarnings("ignore:ssl=None is deprecated"),
    pytest.mark.filterwarnings(
        "ignore:.*Connection.__del__:pytest.PytestUnraisableExceptionWarning"
    ),
]


class Server:
    """Answers as a head does, about one job `a`, whose log is read as often as `lines` has entries.

    Each reading sends one entry and then breaks the line, but for the last: then the job has ended.
    """

    def __init__(self, *lines: str, code: int = 0) -> None:
        self.lines, self.code, self.read = lines, code, 0
        self.waits = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        app = web.Application()
        app.router.add_get("/api/version", self.version)
        app.router.add_get("/api/jobs/a", self.job)
        app.router.add_get("/api/jobs/a/logs/tail", self.tail)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    def __enter__(self) -> "Server":
        self.thread.start()
        self.run(self.runner.setup())
        self.run(web.TCPSite(self.runner, "127.0.0.1", 0).start())
        return self

    def __exit__(self, *error: object) -> None:
        self.run(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": "4", "ray_version": "2.60.0"})

    async def job(self, request: web.Request) -> web.Response:
        ended = self.read >= len(self.lines) and not self.waits
        facts = {
            "type": "SUBMISSION",
            "submission_id": "a",
            "entrypoint": "-",
            "status": ("FAILED" if self.code else "SUCCEEDED") if ended else "RUNNING",
            "metadata": {"raymed.verb": "build"},
            "driver_exit_code": self.code if ended else None,
        }
        return web.json_response(facts)

    async def tail(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        await line.send_str(self.lines[min(self.read, len(self.lines) - 1)])
        self.read += 1
        if self.waits:
            await asyncio.sleep(60)
        if self.read < len(self.lines):
            assert request.transport is not None
            request.transport.abort()
        return line


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(client, "_LOST_SECONDS", 1.0)


def test_a_log_is_whole_and_told_once_though_its_line_breaks() -> None:
    with Server("one\n", "one\ntwo\nthr", "one\ntwo\nthree\n") as head:
        told = list(Jobs(head.address).follow("a"))

    assert told == ["one\n", "two\nthr", "ee\n"]


def test_a_silent_log_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_QUIET_SECONDS", 0.3)
    with Server("one\n") as head:
        head.waits = True
        following = Jobs(head.address).follow("a")
        assert next(following) == "one\n"
        threading.Timer(1.0, lambda: setattr(head, "waits", False)).start()
        assert list(following) == []
        assert head.read > 2


def test_a_head_that_stays_away_is_no_end_of_the_job() -> None:
    with Server("one\n", "never read") as head:
        following = Jobs(head.address).follow("a")
        assert next(following) == "one\n"
    with pytest.raises(EngineError, match="the job a may go on, but http:"):
        next(following)


def test_a_job_that_is_not_there_is_not_followed() -> None:
    with Server("one\n") as head, pytest.raises(InputError):
        next(Jobs(head.address).follow("b"))


def follow(head: Server) -> "subprocess.Popen[str]":
    words = ["-u", "-m", "raymed.cli", "logs", "a", "--follow", "--address", head.address]
    return subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, text=True, preexec_fn=_heed_ctrl_c
    )


def _heed_ctrl_c() -> None:
    """Undo what programs in the background inherit of a shell: to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_jobs_exit_code_is_ours() -> None:
    with Server("one\n", code=3) as head, follow(head) as process:
        told, _ = process.communicate(timeout=300)

    assert (process.returncode, told) == (3, "one\njob a: failed, exit code 3\n")


def test_ctrl_c_leaves_the_job_running_and_says_what_to_do() -> None:
    with Server("one\n") as head, follow(head) as process:
        head.waits = True
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=300)
        assert f"raymed stop a --address {head.address}" in told

    assert process.returncode == 130
    assert "the job goes on" in told
