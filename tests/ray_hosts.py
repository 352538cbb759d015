"""A Ray over hosts of their own: a head and workers of one core, with one token between them."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import raymed
from tests.hosts import Host, hosts

PORT, DASHBOARD_PORT = 6379, 8265
BIN = Path(sys.executable).parent
START_SECONDS = 180
TRIES = 4
"""A raylet has 30 s to start, which a busy machine may not give it."""


class NotStartedError(Exception):
    """Ray did not start in its time, several times over."""


@dataclass(frozen=True)
class RayHosts:
    """The hosts, and how Ray is started on them."""

    head: Host
    workers: list[Host]
    head_cpus: int
    dashboard: bool

    @property
    def all(self) -> list[Host]:
        """Every host, the head first."""
        return [self.head, *self.workers]

    @property
    def address(self) -> str:
        """Where the head's Ray answers."""
        return f"{self.head.ip}:{PORT}"

    @property
    def jobs_address(self) -> str:
        """Where its Jobs API answers."""
        return f"http://{self.head.ip}:{DASHBOARD_PORT}"

    def start_all(self) -> None:
        """Start Ray on every host, which has none yet."""
        self.start(self.head)
        self.start(*self.workers)

    def renew(self, host: Host) -> None:
        """Lose what runs on a host, and start Ray there anew."""
        host.die()
        host.boot()
        self.start(host)

    def start(self, *those: Host) -> None:
        """Start Ray on some hosts at once, and wait for it."""
        for _ in range(TRIES):
            begun = [(host, self._ray_start(host)) for host in those]
            said = [process.communicate(timeout=START_SECONDS)[0] for _, process in begun]
            those = tuple(host for host, process in begun if process.returncode)
            if not those:
                return
            for host in those:
                host.die()
                host.boot()
        names = ", ".join(host.name for host in those)
        raise NotStartedError(f"Ray did not start on {names}: {said[0].strip().splitlines()[-1:]}")

    def start_anew(self) -> None:
        """Lose all hosts, and start Ray on all of them."""
        for host in self.all:
            host.die()
            host.boot()
        self.start_all()

    def _ray_start(self, host: Host) -> "subprocess.Popen[str]":
        if host is self.head:
            own = ["--head", f"--port={PORT}", f"--num-cpus={self.head_cpus}"]
            own += [f"--include-dashboard={str(self.dashboard).lower()}"]
            own += [f"--dashboard-host={host.ip}", f"--dashboard-port={DASHBOARD_PORT}"]
        else:
            own = [f"--address={self.address}", "--num-cpus=1"]
        shared = [f"--node-ip-address={host.ip}", "--num-gpus=0", "--object-store-memory=80000000"]
        words = [BIN / "ray", "start", *own, *shared, "--disable-usage-stats"]
        return host.start(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@contextmanager
def ray_hosts(
    count: int, head_cpus: int = 0, *, dashboard: bool = False, **env: str
) -> Iterator[RayHosts]:
    """Make `count` hosts, the first of them the head, and start Ray on them; `env` is all theirs.

    Needs root. Whatever was done to the hosts, they are removed at the end.
    """
    with hosts(count, _environment() | env) as made:
        together = RayHosts(made[0], made[1:], head_cpus, dashboard)
        together.start_all()
        yield together


def _environment() -> dict[str, str]:
    """Set up a user's shell: no variable of Ray's but the token."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    paths = [str(Path(raymed.__file__).parents[1]), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {
        "PATH": f"{BIN}{os.pathsep}{kept['PATH']}",
        "PYTHONPATH": os.pathsep.join(paths),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",
        "RAY_TMPDIR": "/tmp",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # else workers starve where other programs work too
    }
