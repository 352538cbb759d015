"""The files that launch raymed on clusters, checked without one."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from packaging.requirements import Requirement
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.scripts.scripts import cli

TOP = Path(__file__).parents[2]
FOLDER = TOP / "configs" / "cluster"
FOR_RAY_UP = (TOP / "cluster.yaml", FOLDER / "on-premise.yaml")
MADE_BY_USERS = ("uv.lock", "~/.ray/auth_token")
OF_SYMMETRIC_RUN = {"--head", "--node-ip-address", "--port", "--block"}
"""Options of `ray start` that symmetric-run sets itself, and refuses."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def commands(config: dict[str, Any]) -> list[str]:
    lists = [value for key, value in config.items() if key.endswith("_commands")]
    return [command for each in lists for command in each]


def ray_calls(shell: str) -> list[tuple[str, set[str]]]:
    """Find calls of `ray`: each a command and its options, up to `--` or the line's end."""
    calls = []
    for line in shell.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for place, word in enumerate(words[:-1]):
            if word.rsplit("/", 1)[-1] == "ray":
                rest = words[place + 2 :]
                rest = rest[: rest.index("--")] if "--" in rest else rest
                options = {each.split("=")[0] for each in rest if each.startswith("--")}
                calls.append((words[place + 1], options))
    return calls


def known_options(command: str) -> set[str]:
    known = {option for each in cli.commands[command].params for option in each.opts}
    if command == "symmetric-run":
        known |= known_options("start") - OF_SYMMETRIC_RUN
    return known


@pytest.mark.parametrize("path", FOR_RAY_UP, ids=lambda path: path.name)
def test_ray_accepts_a_file_for_ray_up(path: Path) -> None:
    validate_config(prepare_config(read(path)))


@pytest.mark.parametrize("path", FOR_RAY_UP, ids=lambda path: path.name)
def test_ray_refuses_a_key_that_it_does_not_know(path: Path) -> None:
    with pytest.raises(ValidationError, match="worker_nodez"):
        validate_config(prepare_config({**read(path), "worker_nodez": {}}))


@pytest.mark.parametrize("path", FOR_RAY_UP, ids=lambda path: path.name)
def test_what_is_copied_to_the_nodes_is_in_a_checkout(path: Path) -> None:
    for source in read(path)["file_mounts"].values():
        assert source in MADE_BY_USERS or (TOP / source).exists(), source


@pytest.mark.parametrize("path", FOR_RAY_UP, ids=lambda path: path.name)
def test_the_commands_are_whole_shell_and_ray_knows_their_options(path: Path) -> None:
    for command in commands(read(path)):
        subprocess.run(["bash", "-n", "-c", command], check=True)
        for name, options in ray_calls(command):
            assert options <= known_options(name), command


@pytest.mark.parametrize(
    ("failed", "launched"), [({}, "gpu-spot"), ({"gpu-spot": 0.0}, "gpu-on-demand")]
)
def test_spot_machines_come_first_and_others_where_there_were_none(
    failed: dict[str, float], launched: str
) -> None:
    config = AutoscalingConfig(prepare_config(read(TOP / "cluster.yaml")), skip_content_hash=True)
    units = [ResourceRequestUtil.make({"CPU": 1, "GPU": 1})] * 3
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs=config.get_node_type_configs(),
        max_num_nodes=config.get_max_num_nodes(),
        resource_requests=ResourceRequestUtil.group_by_count(units),
        recoverable_resource_availabilities=failed,
    )
    asked = ResourceDemandScheduler(None).schedule(request).to_launch
    assert {each.instance_type: each.count for each in asked} == {launched: 3}


def test_a_unit_never_fits_on_the_head() -> None:
    assert read(TOP / "cluster.yaml")["available_node_types"]["head"]["resources"]["CPU"] == 0
    for start in read(FOLDER / "on-premise.yaml")["head_start_ray_commands"][1:]:
        assert "--num-cpus=0" in start


def test_the_rayjob_has_the_fields_that_kuberay_reads() -> None:
    job = read(FOLDER / "rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert set(spec) == {
        *("entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished"),
        "rayClusterSpec",
    }
    cluster = spec["rayClusterSpec"]
    assert set(cluster) == {
        *("rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions"),
        *("headGroupSpec", "workerGroupSpecs"),
    }
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert [group.get("groupName") for group in groups] == [None, "gpu"]
    for group in groups:
        assert {f"--{name}" for name in group["rayStartParams"]} <= known_options("start")
        pod = group["template"]["spec"]
        volumes = {each["name"] for each in pod["volumes"]}
        for container in pod["containers"]:
            assert {each["name"] for each in container["volumeMounts"]} <= volumes


def test_one_ray_is_in_the_image_and_the_rayjob_and_the_project_allows_it() -> None:
    version = read(FOLDER / "rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"]
    assert re.findall(r"ray\[default\]==(\S+)'", (FOLDER / "Dockerfile").read_text()) == [version]
    wanted = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    ray = next(each for each in map(Requirement, wanted) if each.name == "ray")
    assert version in ray.specifier


def test_ray_knows_what_the_slurm_script_calls() -> None:
    path = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", str(path)], check=True)
    calls = ray_calls(path.read_text())
    assert [name for name, _ in calls] == ["get-auth-token", "symmetric-run"]
    for name, options in calls:
        assert options <= known_options(name)


def test_an_option_that_ray_does_not_know_is_seen() -> None:
    ((name, options),) = ray_calls("srun ray symmetric-run --adress x \\\n --head -- run --ours")
    assert options - known_options(name) == {"--adress", "--head"}


@pytest.mark.parametrize("name", ["rayjob.yaml", "slurm.sh"])
def test_a_build_joins_the_ray_that_was_started_for_it(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    (command,) = re.findall(r"raymed build .*", text)
    assert " cluster.address=auto" in command
