"""Builds on three hosts that lose processes, hosts, the network, drivers: same bits in the end.

The hosts are network namespaces of this machine, with a token between them; needs root.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raymed.config import Experiment
from raymed.pipeline.build import build
from tests import faults
from tests.faults import Call, Scene, judge
from tests.hosts import can_make_hosts
from tests.ray_hosts import RayHosts, ray_hosts

pytestmark = pytest.mark.slow

LONG = (
    "data.folds=6",
    "recipes.cnn.phases=[{epochs: 240, lr: 2e-3}]",
    "ensemble.meta_learners=[mean]",
    "evaluate.gallery=0",
    "cluster.workers=auto",
)
CALLS = 6
"""How often the same command is called at most, those that are refused among them."""
HEALTH = {  # Ray gives up a silent host after some 15 s, else after a minute
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "4",
}


@pytest.fixture(scope="module")
def three_hosts() -> Iterator[RayHosts]:
    """A head that only drives, and two workers of one core."""
    if not os.environ.get("RAYMED_TEST_FAULTS"):
        pytest.skip("takes ten minutes; set RAYMED_TEST_FAULTS=1")
    if not can_make_hosts():
        pytest.skip("network namespaces need root and iproute2")
    with ray_hosts(3, dashboard=True, **HEALTH) as together:
        yield together


@pytest.fixture(scope="module")
def expected(make: Callable[..., Experiment], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The OOF table of the same build, undisturbed, on this machine's embedded Ray."""
    alone = build(make(*LONG), tmp_path_factory.mktemp("alone") / "run")
    return alone.run.oof_file.read_bytes()


@pytest.fixture
def scene(three_hosts: RayHosts, config_file: Path, tmp_path: Path) -> Scene:
    return Scene(three_hosts, config_file, tmp_path, random.Random(0), LONG)


def more(scene: Scene) -> None:
    """Wait until one more fold is complete, so that the next fault strikes amid the next one.

    A call that is refused is made again: a host may not answer while it stands still.
    """
    enough = len(scene.complete) + 1

    def found() -> bool:
        call = scene.calls[-1]
        if call.process.poll() == 2 and len(scene.calls) < CALLS:
            scene.build()
            return False
        assert call.process.poll() is None, f"ended too soon: {call.output.read_text()}"
        return len(scene.complete) >= enough

    scene.until("one more fold", found)


def finished(scene: Scene) -> Call:
    """Wait for the end of the last call; one that is refused is made again."""
    while scene.finish(scene.calls[-1]) == 2 and len(scene.calls) < CALLS:
        scene.build()
    return scene.calls[-1]


def submitted(scene: Scene) -> Call:
    """Submit the build from outside the cluster, and follow it."""
    hosts, output = scene.hosts, scene.folder / "submit.txt"
    words = [sys.executable, "-m", "raymed.cli", "submit", "build", scene.config, *scene.overrides]
    place = [f"cluster.cache={scene.folder / 'cache'}", "--run", scene.run]
    with output.open("w") as file:
        process = subprocess.Popen(
            [*map(str, [*words, *place, "--address", hosts.jobs_address])],
            env=dict(hosts.head.environment),
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    scene.calls.append(Call(hosts.head, process, output))
    return scene.calls[-1]


def test_a_submitted_build_survives_a_killed_worker_and_a_lost_host_with_and_without_another(
    scene: Scene, expected: bytes
) -> None:
    call = submitted(scene)
    more(scene)
    faults.kill_worker(scene)
    more(scene)
    faults.replace_node(scene)
    more(scene)
    lost = faults.lose_node(scene)

    assert scene.finish(call) == 0, call.output.read_text()

    assert judge(scene, expected) == []
    assert "succeeded, exit code 0" in call.output.read_text()
    for host in lost:
        scene.hosts.renew(host)


def test_a_build_refuses_a_second_driver_and_survives_a_spot_notice_and_a_cut_network(
    scene: Scene, expected: bytes
) -> None:
    call = scene.build()
    more(scene)
    faults.second_driver(scene)
    for host in faults.spot_notice(scene):
        scene.hosts.renew(host)
    more(scene)
    cut = faults.cut_node(scene)

    assert scene.finish(call) == 0, call.output.read_text()

    assert judge(scene, expected) == []
    for host in cut:
        scene.hosts.renew(host)


def test_called_again_a_build_survives_the_loss_of_its_driver_a_zombie_and_of_the_whole_cluster(
    scene: Scene, expected: bytes
) -> None:
    scene.build()
    more(scene)
    faults.wake_zombie(scene)
    more(scene)
    faults.kill_driver(scene)
    more(scene)
    faults.lose_cluster(scene)

    last = finished(scene)
    assert last.process.returncode == 0, last.output.read_text()

    assert judge(scene, expected) == []
