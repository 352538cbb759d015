"""A Ray that scales from nothing: Ray's own autoscaler, whose nodes are processes here."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from raymed.pipeline.build import Built

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
PORT = 6379
"""Where the nodes of Ray's own test provider look for the head, and nowhere else."""
HEAD, NAME = "f" * 56, "ray.head.default"
PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
LISTS = (
    *(f"{name}_commands" for name in ("initialization", "setup", "head_setup", "worker_setup")),
    *("head_start_ray_commands", "worker_start_ray_commands"),
    *("cluster_synced_files", "rsync_exclude", "rsync_filter"),
)
CLUSTER: dict[str, Any] = {
    "cluster_name": "scaling",
    "max_workers": 2,
    "idle_timeout_minutes": 5,
    "upscaling_speed": 1.0,
    "provider": {
        "type": "external",
        "module": PROVIDER,
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
        "launch_multiple": True,
        "head_node_id": HEAD,
    },
    "head_node_type": NAME,
    "available_node_types": {
        NAME: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2},
    },
    "auth": {},
    "docker": {},
    "file_mounts": {},
    "file_mounts_sync_continuously": False,
    **{name: [] for name in LISTS},
}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What starts processes that all end with the test."""
    mark = uuid.uuid4().hex
    folder = tempfile.mkdtemp(prefix="s")
    yield {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "RAY_TMPDIR": folder,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAYMED_TEST": mark,
    }
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("RAYMED_TEST") == mark:
                process.kill()


@pytest.fixture
def address(environment: dict[str, str], tmp_path: Path) -> str:
    """A head without a core, and an autoscaler that may bring two workers of one."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"port {PORT} is taken by another Ray")
    (tmp_path / "cluster.yaml").write_text(json.dumps(CLUSTER))  # JSON is YAML
    scaling = {
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
    }
    own = ["--num-cpus=0", "--object-store-memory=80000000", "--include-dashboard=false"]
    config = f"--autoscaling-config={tmp_path / 'cluster.yaml'}"
    subprocess.run(
        [BIN / "ray", "start", "--head", f"--port={PORT}", config, *own],
        env={**environment, **scaling},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=180,
    )
    return f"127.0.0.1:{PORT}"


def test_a_build_waits_for_nodes_to_come_where_that_is_asked_and_is_refused_where_not(
    built: Built, config_file: Path, address: str, environment: dict[str, str], tmp_path: Path
) -> None:
    def build(*overrides: str) -> "subprocess.CompletedProcess[str]":
        command = [BIN / "raymed", "build", config_file, f"cluster.address={address}", *overrides]
        return subprocess.run(
            [*map(str, command), "--run", str(tmp_path / "run")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    refused = build()
    waited = build("cluster.wait_minutes=5", "cluster.workers=2")

    assert refused.returncode == 2
    assert "no node has room for a process of one core" in refused.stderr
    assert waited.returncode == 0, waited.stderr
    assert "waiting for nodes to come" in waited.stdout
    assert (tmp_path / "run" / "oof.arrow").read_bytes() == built.run.oof_file.read_bytes()
