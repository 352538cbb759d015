"""Several hosts on one machine: network namespaces on a bridge, each with processes of its own.

What they share is the disk, as machines share a network file system. Needs root.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

INIT = """
hostname "$1" && mkdir -p /tmp/ray && mount --bind "$2" /tmp/ray && ip link set lo up && echo ready
while :; do sleep 3600 & wait; done
"""
"""The first process of a host: it reaps what is left of others; when it dies, all of them do."""


@dataclass
class Host:
    """One host: a network namespace that stays, and processes that can be lost."""

    name: str
    ip: str
    folder: Path
    environment: Mapping[str, str]
    init: "subprocess.Popen[str] | None" = field(default=None, repr=False)

    def boot(self) -> None:
        """Begin with no process but the first, and with an empty /tmp/ray."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        spaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]
        shell = ["bash", "-c", INIT, "init", self.name, str(self.folder)]
        self.init = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *spaces, *shell],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.init.stdout is not None
        assert self.init.stdout.readline() == "ready\n", f"{self.name} did not boot"

    def start(self, *words: object, **options: Any) -> "subprocess.Popen[str]":
        """Start a program on this host; `options` are those of `Popen`.

        What comes back is its starter, outside: it ends when the program does.
        """
        inside = ["nsenter", f"--target={self._first()}", "--net", "--pid", "--mount", "--uts"]
        command = [*inside, *map(str, words)]
        return subprocess.Popen(command, env=dict(self.environment), text=True, **options)

    def call(self, *words: object, seconds: float = 600) -> "subprocess.CompletedProcess[str]":
        """Run a program on this host to its end."""
        process = self.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            kill_tree(process.pid)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def processes(self, word: str = "") -> list[psutil.Process]:
        """List the processes of this host but its first one; `word` stands in their titles."""
        first, found = self._first(), []
        space = os.readlink(f"/proc/{first}/ns/pid")
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                here = os.readlink(f"/proc/{process.pid}/ns/pid") == space
                if here and process.pid != first and word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def die(self) -> None:
        """Lose all processes at once, as when the power goes."""
        if self.init is not None:
            with suppress(psutil.Error, IndexError, ProcessLookupError):
                os.kill(self._first(), signal.SIGKILL)
            self.init.kill()
            self.init.communicate()
            self.init = None

    def freeze(self) -> None:
        """Stop all processes where they are, as a hypervisor does."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.suspend()

    def thaw(self) -> None:
        """Let them go on."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.resume()

    def cut(self) -> None:
        """Take the network away: what is sent is lost, nobody is told."""
        _ip("link", "set", self.name, "down")

    def mend(self) -> None:
        """Give the network back."""
        _ip("link", "set", self.name, "up")

    def _first(self) -> int:
        assert self.init is not None, f"{self.name} is down"
        return int(psutil.Process(self.init.pid).children()[0].pid)


@contextmanager
def hosts(count: int, environment: Mapping[str, str]) -> Iterator[list[Host]]:
    """Make hosts on a network of their own; what was made is removed, whatever was done to it.

    This machine reaches them too. `environment` is that of their programs.
    """
    number = os.getpid()
    name, net = f"rm{number % 100_000}", f"10.{200 + number // 250 % 50}.{number % 250}"
    folder = Path(tempfile.mkdtemp(prefix="hosts-"))
    made = [
        Host(f"{name}-{each}", f"{net}.{each + 1}", folder / f"{each}", environment)
        for each in range(count)
    ]
    try:
        _ip("link", "add", name, "type", "bridge")
        _ip("addr", "add", f"{net}.254/24", "dev", name)
        _ip("link", "set", name, "up")
        for host in made:
            _connect(host, name, f"{net}.254")
            host.boot()
        yield made
    finally:
        for host in made:
            host.die()
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def can_make_hosts() -> bool:
    """Tell whether this machine lets us make network namespaces."""
    if os.getuid() != 0 or shutil.which("ip") is None or shutil.which("nsenter") is None:
        return False
    name = f"rmtry{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    return made.returncode == 0


def kill_tree(pid: int) -> None:
    """Kill a process and all that it started, at once."""
    with suppress(psutil.Error):
        outer = psutil.Process(pid)
        for process in [*outer.children(recursive=True), outer]:
            with suppress(psutil.Error):
                process.kill()


def _connect(host: Host, bridge: str, gateway: str) -> None:
    """Give a host its namespace and a cable to the bridge; `gateway` leads to this machine."""
    _ip("netns", "add", host.name)
    _ip("link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    _ip("link", "set", host.name, "master", bridge, "up")
    for words in (
        ("addr", "add", f"{host.ip}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "via", gateway),  # else Ray takes 127.0.1.1 for a driver's
    ):
        _ip("-n", host.name, *words)


def _ip(*words: str) -> None:
    said = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert said.returncode == 0, f"ip {' '.join(words)}: {said.stderr}"
