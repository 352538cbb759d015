"""A build killed at the very moment it writes: half a file, then SIGKILL, again and again."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from raymed.pipeline.build import Built

Processes = Callable[[int], list[int]]

RAYMED = str(Path(sys.executable).with_name("raymed"))

KILLER = '''
"""Loaded by every Python process: at the rename that KILL_AT names, cuts the file and dies."""
import os, pathlib, signal, sys

def kill(event, arguments):
    if event != "os.rename":
        return
    name, _, text = os.environ["KILL_AT"].partition("|")
    source, target = (os.fspath(argument) for argument in arguments[:2])
    if not target.endswith(name) or text not in pathlib.Path(source).read_text(errors="replace"):
        return
    try:
        os.close(os.open(os.environ["KILL_ONCE"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.truncate(source, os.path.getsize(source) // 2)
    os.kill(os.getpid(), signal.SIGKILL)

if "KILL_AT" in os.environ:
    sys.addaudithook(kill)
'''


@dataclass
class Victim:
    """One run folder, built again and again."""

    config: Path
    folder: Path
    calls: int = 0
    sessions: list[int] = field(default_factory=list)

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def build(self, kill_at: str = "") -> int:
        """Build, with a kill at the rename of a file (`name` or `name|words in it`)."""
        self.calls += 1
        (self.folder / "sitecustomize.py").write_text(KILLER)
        once = self.folder / f"killed-{self.calls}"
        hook = {"KILL_AT": kill_at, "KILL_ONCE": str(once), "PYTHONPATH": str(self.folder)}
        command = [RAYMED, "build", str(self.config), "--run", str(self.run)]
        process = subprocess.Popen(
            command,
            env={**os.environ, **hook} if kill_at else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.sessions.append(process.pid)
        _, err = process.communicate(timeout=240)
        assert once.exists() == bool(kill_at), "the kill happened where it was asked for"
        assert "Traceback" not in err
        return process.returncode

    def finished(self) -> dict[Path, int]:
        """Every marker that counts, and when it was written."""
        markers = self.run.glob("members/**/DONE.json")
        return {path: path.stat().st_mtime_ns for path in markers}


@pytest.mark.slow
@pytest.mark.parametrize("file", ["state.json", "checkpoint.safetensors"])
def test_a_worker_killed_in_a_checkpoint_is_replaced_and_comes_out_the_same(
    built: Built, config_file: Path, tmp_path: Path, file: str
) -> None:
    victim = Victim(config_file, tmp_path)

    assert victim.build(file) == 0

    assert (victim.run / "oof.arrow").read_bytes() == built.run.oof_file.read_bytes()


@pytest.mark.slow
def test_killed_at_every_write_in_turn_comes_out_the_same_and_computes_nothing_twice(
    built: Built, config_file: Path, tmp_path: Path, processes_of: Processes
) -> None:
    victim = Victim(config_file, tmp_path)
    for place in (
        "DONE.json",
        "oof.parquet",
        "oof.arrow",
        "progress.json|fitting the stack",
        "stack/weights.safetensors",
        "stack/DONE.json",
        "metrics.json",
        "report.html",
    ):
        before = victim.finished()
        assert victim.build(kill_at=place) == -signal.SIGKILL, place
        assert before.items() <= victim.finished().items(), place
    before = victim.finished()
    assert len(before) == 6  # two members of two folds

    assert victim.build() == 0

    assert victim.finished() == before
    assert (victim.run / "oof.arrow").read_bytes() == built.run.oof_file.read_bytes()
    assert "</html>" in (victim.run / "report.html").read_text()
    assert [process for session in victim.sessions for process in processes_of(session)] == []
