"""A build beside another Ray cluster: neither joined nor harmed, whatever RAY_ADDRESS says."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from raymed.pipeline.build import Built

RAYMED = str(Path(sys.executable).with_name("raymed"))

FOREIGN = """
import sys, ray

@ray.remote(num_cpus=0)
class Diary:
    def __init__(self): self.words = []
    def write(self, word): self.words.append(word); return self.words

context = ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False,
                   object_store_memory=80 * 1024**2, _temp_dir=sys.argv[1])
diary = Diary.remote()
ray.get(diary.write.remote("before"))
print(context.address_info["gcs_address"], flush=True)
for _ in sys.stdin:
    print(ray.get(diary.write.remote("after")), len(ray.nodes()), ray.available_resources()["CPU"],
          flush=True)
"""


@pytest.fixture(scope="module")
def foreign() -> Iterator[subprocess.Popen[str]]:
    """Another user's Ray, which keeps a diary and has 3 cores that nobody takes.

    A plain one: under `uv run` Ray would first build an environment of its own for its actor.
    """
    with tempfile.TemporaryDirectory(prefix="foreign") as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", FOREIGN, folder],
            env={**os.environ, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        yield process
        process.communicate(timeout=60)


@pytest.mark.slow
def test_a_build_works_beside_another_ray_and_leaves_it_untouched(
    built: Built, config_file: Path, tmp_path: Path, foreign: subprocess.Popen[str]
) -> None:
    assert foreign.stdin is not None
    assert foreign.stdout is not None
    address = foreign.stdout.readline().strip()
    assert ":" in address
    without = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    words = ["before"]
    for number, environment in enumerate([without, {**without, "RAY_ADDRESS": address}]):
        run = tmp_path / f"run-{number}"
        command = [RAYMED, "build", str(config_file), "--run", str(run)]
        said = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert said.returncode == 0, said.stderr
        assert (run / "oof.arrow").read_bytes() == built.run.oof_file.read_bytes()

        foreign.stdin.write("how are you\n")
        foreign.stdin.flush()
        words.append("after")
        assert foreign.stdout.readline().strip() == f"{words} 1 3.0"
