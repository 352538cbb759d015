"""raymed on a Ray that runs already: three nodes on this machine, joined, used and left."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raymed import __version__ as raymed_version
from raymed.config import Experiment
from raymed.ensemble import read_oof
from raymed.pipeline.build import Built, build
from raymed.runs.store import RunStore

RAYMED = str(Path(sys.executable).with_name("raymed"))
ENVIRONMENT = {"RAY_AUTH_MODE": "disabled"}  # a process keeps its first mode: only subprocesses
pytestmark = pytest.mark.slow

HOLDER = '''
"""Hold a Ray of nodes with one core each; tell its address, then its state when asked."""
import os, sys
import ray
from ray.cluster_utils import Cluster

ray.__version__ = os.environ.get("HEAD_VERSION", ray.__version__)
own = {"num_cpus": 1, "object_store_memory": 80 * 1024**2}
head = {**own, "env_vars": {"NODE": "a"}, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head)
for name in os.environ.get("OTHERS", "bc"):
    last = cluster.add_node(env_vars={"NODE": name}, **own)
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
print("told", cluster.address, flush=True)
for line in sys.stdin:
    if line == "lose one\\n":
        cluster.remove_node(last, allow_graceful=False)
    alive = sum(node["Alive"] for node in ray.nodes())
    print("told", alive, ray.available_resources().get("CPU"), flush=True)
ray.shutdown()
cluster.shutdown()
'''

WITNESS = '''
"""Loaded by every process of a node: notes who predicts, and kills node c amid a fold when told."""
import json, os, pathlib, signal, sys

def watch(event, arguments):
    if event != "os.rename" or "NODE" not in os.environ:
        return
    target, seen = pathlib.Path(os.fspath(arguments[1])), pathlib.Path(os.environ["SEEN"])
    if target.name == "predictions.parquet":
        (seen / f"predicted-{target.parent.name}-{os.environ['NODE']}").touch()
    if target.name == "state.json" and os.environ["NODE"] == "c" and (seen / "kill").exists():
        done = {str(path): path.stat().st_mtime_ns
                for path in target.parents[2].parent.glob("*/fold-*/DONE.json")}
        if done:
            (seen / "done.json").write_text(json.dumps(done))
            (seen / "kill").unlink()
            os.kill(os.getppid(), signal.SIGKILL)  # the raylet: the node is gone
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
'''


@dataclass
class Nodes:
    """A running Ray, and the folder where its nodes leave word."""

    process: subprocess.Popen[str]
    seen: Path
    address: str = ""

    def hear(self) -> str:
        """Give what is told next; Ray prints too, of a node that died."""
        assert self.process.stdout is not None
        return next(line[5:].strip() for line in self.process.stdout if line.startswith("told "))

    def state(self, ask: str = "how are you") -> str:
        """How many nodes live and how many cores are free."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{ask}\n")
        self.process.stdin.flush()
        return self.hear()

    def predictors(self) -> set[str]:
        return {path.name[-1] for path in self.seen.glob("predicted-*")}


@contextmanager
def three_nodes(seen: Path, **variables: str) -> Iterator[Nodes]:
    (seen / "sitecustomize.py").write_text(WITNESS)
    paths = os.pathsep.join([str(seen), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {**ENVIRONMENT, "PYTHONPATH": paths, "SEEN": str(seen)}
    environment = {**os.environ, **own, **variables}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    nodes = Nodes(process, seen)
    try:
        nodes.address = nodes.hear()
        yield nodes
    finally:
        process.communicate(timeout=120)


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, s3_environment: dict[str, str]
) -> Iterator[Nodes]:
    """Three nodes that live as long as this module's tests, and reach an object store."""
    with three_nodes(tmp_path_factory.mktemp("seen"), **s3_environment) as running:
        yield running


def raymed(*words: object) -> subprocess.CompletedProcess[str]:
    """Call the command line as on a node of that Ray."""
    command = [RAYMED, *map(str, words)]
    environment = {**os.environ, **ENVIRONMENT}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=400, check=False
    )


def test_three_nodes_give_the_bits_of_one_machine_and_run_on_afterwards(
    built: Built, config_file: Path, nodes: Nodes, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    there = [f"cluster.address={nodes.address}", "cluster.workers=auto"]

    said = raymed("build", config_file, *there, "--run", run)

    assert said.returncode == 0, said.stderr
    assert (run / "oof.arrow").read_bytes() == built.run.oof_file.read_bytes()
    assert len(nodes.predictors()) > 1
    assert not (run / "scratch").exists()
    assert json.loads((run / "log" / "cluster.json").read_text())["address"] == nodes.address
    for _ in range(20):  # Ray ends the workers of a driver that left a moment later
        if (state := nodes.state()) == "3 3.0":
            break
        time.sleep(1)
    assert state == "3 3.0"


def test_three_nodes_write_into_an_object_store_and_give_the_same_bits(
    built: Built, config_file: Path, nodes: Nodes, s3: Any
) -> None:
    there = [f"cluster.address={nodes.address}", "cluster.workers=auto"]

    said = raymed("build", config_file, *there, "--run", "s3://ward/runs/joined")

    assert said.returncode == 0, said.stderr
    store = RunStore.at("s3://ward/runs/joined")
    assert store.read("oof.arrow") == built.run.oof_file.read_bytes()
    assert not any(name.startswith("scratch/") for name in store.list())


def test_a_node_that_dies_amid_a_fold_changes_no_bit_and_nothing_complete_is_trained_again(
    make: Callable[..., Experiment], config_file: Path, tmp_path: Path
) -> None:
    longer = ["data.folds=4", "recipes.cnn.phases=[{epochs: 8, lr: 2e-3}]"]  # than a worker starts
    alone = build(make(*longer), tmp_path / "alone")
    run, seen = tmp_path / "run", tmp_path / "seen"
    seen.mkdir()
    (seen / "kill").touch()
    with three_nodes(seen) as nodes:
        there = [f"cluster.address={nodes.address}", "cluster.workers=auto"]

        said = raymed("build", config_file, *there, *longer, "--run", run)

        assert said.returncode == 0, said.stderr
        for _ in range(90):  # Ray notices in a while that a node is gone
            if (state := nodes.state()).startswith("2 "):
                break
            time.sleep(1)
        assert state.startswith("2 ")
    assert (run / "oof.arrow").read_bytes() == alone.run.oof_file.read_bytes()
    done = json.loads((seen / "done.json").read_text())
    assert done
    assert {path: Path(path).stat().st_mtime_ns for path in done} == done


def test_processes_on_several_nodes_share_a_fold_and_go_on_where_one_is_lost(
    make: Callable[..., Experiment],
    config_file: Path,
    only_cnn: str,
    tmp_path: Path,
    s3: Any,
    s3_environment: dict[str, str],
) -> None:
    """By Ray Train, into an object store; BatchNorm frozen, no augmentation: only sums differ."""
    still = [only_cnn, "recipes.cnn.phases=[{epochs: 8, lr: 2e-3}]"]
    still += ["recipes.cnn.freeze_batchnorm=true", "recipes.cnn.augmentation=none"]
    alone, url = build(make(*still), tmp_path / "alone"), "s3://ward/runs/shared"
    store = RunStore.at(url)
    (seen := tmp_path / "seen").mkdir()
    with three_nodes(seen, **s3_environment) as nodes:
        there = [f"cluster.address={nodes.address}", "cluster.workers=auto", "--run", url]
        several = ["recipes.cnn.workers=3", "recipes.cnn.min_workers=2"]
        command = [RAYMED, "build", str(config_file), *still, *several, *there]
        with subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}) as driver:
            while not any(re.search("fold-1/.*/state.json", name) for name in store.list()):
                assert driver.poll() is None
                time.sleep(0.5)
            nodes.state("lose one")
            assert driver.wait(timeout=400) == 0

    (tmp_path / "oof.arrow").write_bytes(store.read("oof.arrow"))
    shared, one = read_oof(tmp_path / "oof.arrow"), read_oof(alone.run.oof_file)
    assert np.abs(one.logits[:, 0]).max() > 0.01
    np.testing.assert_allclose(shared.logits, one.logits, atol=1e-3)
    folds = [f"members/{shared.members[0]}/fold-{fold}/DONE.json" for fold in (0, 1)]
    assert [json.loads(store.read(fold))["workers"] for fold in folds] == [3, 2]


def test_a_recipe_that_nodes_have_no_room_for_is_refused_at_once(
    config_file: Path, nodes: Nodes, tmp_path: Path
) -> None:
    there = [f"cluster.address={nodes.address}", "cluster.workers=auto", "recipes.cnn.workers=4"]

    said = raymed("build", config_file, *there, "--run", tmp_path / "run")

    assert said.returncode == 2
    assert "recipes.cnn.workers: 4 processes a unit, nodes have room for 3" in said.stderr


def test_where_nothing_answers_a_build_ends_within_a_minute(
    config_file: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        mute = raymed("build", config_file, f"cluster.address=127.0.0.1:{port}", "--run", tmp_path)
        assert time.monotonic() - began < 60
    closed = raymed("build", config_file, f"cluster.address=127.0.0.1:{port}", "--run", tmp_path)

    assert (mute.returncode, closed.returncode) == (2, 2)
    assert f"what listens at 127.0.0.1:{port} did not answer as Ray's head" in mute.stderr
    assert f"nothing answers at 127.0.0.1:{port}" in closed.stderr
    assert not (tmp_path / "members").exists()


def doctor(*words: object) -> tuple[int, dict[str, Any], str]:
    """Let the doctor look; gives its exit code, what it found, and every word of its findings."""
    said = raymed("doctor", *words, "--json")
    found = json.loads(said.stdout)
    told = [f"{each['place']}: {each['fault']}" for each in found["findings"]]
    return said.returncode, found, "\n".join(told)


def test_the_doctor_tells_of_three_nodes_within_a_minute_and_leaves_nothing(
    config_file: Path, nodes: Nodes, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "run"
    began = time.monotonic()

    code, found, told = doctor(config_file, "--address", nodes.address, "--run", run)

    assert time.monotonic() - began < 60
    assert (code, found["errors"], len(found["nodes"])) == (0, 0, 3), told
    assert all(node["versions"]["raymed"] == raymed_version for node in found["nodes"])
    assert f"{run}: was written from every node, and every node reads what the others" in told
    assert "data.source: " in told
    assert "clocks: within 2 s" in told
    assert "network: every node reaches Ray on every other" in told
    assert f"the Ray at {nodes.address}: whoever reaches it may use it, without a token" in told
    assert "gcs_server" in told
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_names_all_that_would_stop_a_build(
    config_file: Path, nodes: Nodes, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    changes = ("data.source=gone", "cluster.device=auto", "cluster.gpu_kind=H100")
    where = ("--address", nodes.address, "--run", tmp_path / "file" / "run")

    code, found, told = doctor(config_file, *changes, *where)

    assert (code, found["errors"]) == (2, 3), told
    assert "file/run: cannot be written to from this machine (Not a directory)" in told
    assert "data.source: no such file or folder here" in told
    assert "cluster.gpu_kind: no node has a GPU of kind H100" in told


def test_a_head_with_another_ray_is_refused_with_both_versions(
    config_file: Path, tmp_path: Path
) -> None:
    with three_nodes(tmp_path, HEAD_VERSION="2.50.0", OTHERS="") as head:
        code, _, told = doctor("--address", head.address)
        said = raymed(
            "build", config_file, f"cluster.address={head.address}", "--run", tmp_path / "run"
        )

    assert (code, said.returncode) == (2, 2)
    words = f"the Ray at {head.address} runs Ray 2.50.0 on Python "
    assert words in told
    assert words in said.stderr
    assert "Traceback" not in said.stderr
