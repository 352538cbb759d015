"""Faults that strike a build amid its work on hosts of their own, and what became of it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from raymed.files import read_json
from tests.hosts import Host, kill_tree
from tests.ray_hosts import RayHosts

CALL_SECONDS = 420.0
"""How long one call of a build may take: it gives up by itself where two minutes bring no room."""


@dataclass
class Call:
    """One call of `raymed build` on a host, and where its output goes."""

    host: Host
    process: "subprocess.Popen[str]"
    output: Path

    def send(self, word: int) -> None:
        """Send the driver a signal; where it ends by it, its starter outside does too."""
        with suppress(psutil.Error, IndexError):
            os.kill(psutil.Process(self.process.pid).children()[0].pid, word)


@dataclass
class Scene:
    """One round: a run folder, the calls that work on it, and the folds seen complete so far."""

    hosts: RayHosts
    config: Path
    folder: Path
    draw: random.Random
    overrides: tuple[str, ...] = ()
    calls: list[Call] = field(default_factory=list)
    complete: dict[str, tuple[int, str]] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.folder / "run"

    @property
    def codes(self) -> list[int | None]:
        """The exit codes so far."""
        return [call.process.poll() for call in self.calls]

    def build(self, host: Host | None = None) -> Call:
        """Call the same command as always, on the head or another host."""
        where = host or self.hosts.head
        output = self.folder / f"call-{len(self.calls)}.txt"
        there = [f"cluster.address={self.hosts.address}", f"cluster.cache={self.folder / 'cache'}"]
        words = [sys.executable, "-m", "raymed.cli", "build", self.config, *self.overrides]
        with output.open("w") as file:
            process = where.start(
                *words, *there, "--run", self.run, stdout=file, stderr=subprocess.STDOUT
            )
        self.calls.append(Call(where, process, output))
        return self.calls[-1]

    def look(self) -> None:
        """Note which folds are complete, and which of them were complete before otherwise."""
        for marker in self.run.glob("members/*/fold-*/DONE.json"):
            name = str(marker.parent.relative_to(self.run))
            found = marker.stat().st_mtime_ns, str(read_json(marker)["attempt"])
            if self.complete.setdefault(name, found) != found:
                self.repeated.add(name)

    def until(self, what: str, found: Callable[[], bool], seconds: float = CALL_SECONDS) -> None:
        """Look until `found`; raises `TimeoutError`."""
        deadline = time.monotonic() + seconds
        while not found():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}")
            self.look()
            time.sleep(0.2)

    def rest(self, seconds: float) -> None:
        """Let the build go on for a while."""
        ends = time.monotonic() + seconds
        self.until("a pause", lambda: time.monotonic() > ends)

    def finish(self, call: Call) -> int:
        """Wait for the end of a call; gives its exit code."""
        try:
            self.until("the build's end", lambda: call.process.poll() is not None)
        finally:
            kill_tree(call.process.pid)
        self.look()
        return int(call.process.wait())

    def victim(self) -> Host:
        """Draw a worker."""
        return self.draw.choice(self.hosts.workers)


def judge(scene: Scene, expected: bytes) -> list[str]:
    """Say what is wrong where all calls have ended: nothing is, when the faults were survived."""
    wrong = []
    if scene.codes[-1] != 0:
        wrong.append(f"exit codes {scene.codes}: {scene.calls[-1].output.read_text()[-500:]}")
    elif (scene.run / "oof.arrow").read_bytes() != expected:
        wrong.append("another OOF table")
    if scene.repeated:
        wrong.append(f"trained again: {sorted(scene.repeated)}")
    return wrong


Fault = Callable[[Scene], list[Host]]
"""Strikes while the last call runs, starts another call where its driver died, and gives the hosts
that must be started anew before the next round."""


def kill_worker(scene: Scene) -> list[Host]:
    """`kill -9` of a process that trains."""
    at_work: list[psutil.Process] = []

    def found() -> bool:
        at_work.extend(each for host in scene.hosts.workers for each in host.processes("_Worker"))
        return bool(at_work)

    scene.until("a process that trains", found)
    scene.draw.choice(at_work).kill()
    return []


def lose_node(scene: Scene) -> list[Host]:
    """A host is gone for good."""
    victim = scene.victim()
    victim.die()
    return [victim]


def replace_node(scene: Scene) -> list[Host]:
    """A host is gone, and another one comes under its address."""
    victim = scene.victim()
    victim.die()
    scene.rest(scene.draw.uniform(0, 5))
    scene.hosts.renew(victim)
    return []


def kill_driver(scene: Scene) -> list[Host]:
    """`kill -9` of the driver; the same command again, at once."""
    scene.calls[-1].send(signal.SIGKILL)
    scene.calls[-1].process.wait()
    scene.build()
    return []


def lose_cluster(scene: Scene) -> list[Host]:
    """All hosts at once, the driver's too; then a new cluster, and the same command again."""
    for host in scene.hosts.all:
        host.die()
    scene.calls[-1].process.wait()
    scene.hosts.start_anew()
    scene.build()
    return []


def cut_node(scene: Scene) -> list[Host]:
    """A host loses the network and gets it back: soon, or after Ray has given it up."""
    victim = scene.victim()
    victim.cut()
    try:
        scene.rest(scene.draw.choice([scene.draw.uniform(1, 6), scene.draw.uniform(20, 40)]))
    finally:
        victim.mend()
    return [victim]


def wake_zombie(scene: Scene) -> list[Host]:
    """A host stands still while the driver is killed, and trains on beside the next driver's."""
    victim = scene.victim()
    victim.freeze()
    try:
        scene.calls[-1].send(signal.SIGKILL)
        scene.calls[-1].process.wait()
        scene.build()
        scene.rest(scene.draw.uniform(2, 20))
    finally:
        victim.thaw()
    return []


def second_driver(scene: Scene) -> list[Host]:
    """The same command on another host while the first one holds the folder: it is refused.

    The first driver stands still meanwhile, so that it has not ended when the second one asks.
    """
    first = scene.calls[-1]
    first.send(signal.SIGSTOP)
    try:
        second = scene.build(scene.victim())
        code = scene.finish(second)
    finally:
        first.send(signal.SIGCONT)
    said = second.output.read_text()
    assert code == 2, f"the second driver ended with {code}: {said}"
    assert "another build works on this folder" in said, said
    scene.calls.remove(second)
    return []


def spot_notice(scene: Scene) -> list[Host]:
    """SIGTERM to a host's raylet, as a spot machine gets it; then the machine goes."""
    victim = scene.victim()
    for raylet in victim.processes("raylet/raylet"):
        raylet.send_signal(signal.SIGTERM)
    scene.rest(scene.draw.uniform(1, 5))
    victim.die()
    return [victim]


FAULTS: dict[str, Fault] = {
    "worker process killed": kill_worker,
    "node lost, not replaced": lose_node,
    "node lost and replaced": replace_node,
    "driver killed, called again": kill_driver,
    "whole cluster killed and started": lose_cluster,
    "node cut off and back": cut_node,
    "zombie of an earlier driver": wake_zombie,
    "two drivers on one run folder": second_driver,
    "spot notice": spot_notice,
}
