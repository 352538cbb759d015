"""Shared by all tests: a cache of their own, compiled modules, and where real data lies."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def nothing_is_compiled() -> bool:
    torch = find_spec("torch")
    compiled = torch is not None and torch.cached is not None and Path(torch.cached).exists()
    return sys.dont_write_bytecode and not compiled


if nothing_is_compiled():  # PYTHONDONTWRITEBYTECODE, as many containers set it
    # Each of the hundreds of processes that tests start would compile torch, timm and Ray, which
    # takes longer than to import them. Compiled modules go into a folder that goes with the tests.
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="bytecode-")
    atexit.register(shutil.rmtree, sys.pycache_prefix, ignore_errors=True)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False

import torch  # noqa: E402 -- behind it, so that it compiles for all
from hypothesis import settings  # noqa: E402

settings.register_profile("untimed", deadline=None)  # speed is measured in benchmarks
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep decoded images and features of tests out of the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("RAYMED_CACHE")
    os.environ["RAYMED_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["RAYMED_CACHE"]
    else:
        os.environ["RAYMED_CACHE"] = before


@pytest.fixture(scope="session", autouse=True)
def no_browser() -> None:
    """Builds export no figures: a browser a build would take minutes. Some tests ask for one."""
    os.environ["BROWSER_PATH"] = "no browser in tests"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Torch on one thread, as in every worker: sums come out to the same bits."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets, or a skip that says so."""
    root = Path(__file__).parent.parent
    folder = Path(os.environ.get("RAYMED_TEST_DATA", root.parent / "shared" / "data"))
    if not (folder / "alzheimer").is_dir():
        pytest.skip(f"no real data at {folder} (set RAYMED_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A real server of the S3 protocol on this machine."""
    server_of = pytest.importorskip("moto.server", reason="moto[server] is not installed")

    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_environment(s3_endpoint: str) -> dict[str, str]:
    """What a process needs to reach the server."""
    return {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def s3(s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """pyarrow's file system on the server, which the environment names, with an empty bucket."""
    from pyarrow import fs

    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    store, _ = fs.FileSystem.from_uri("s3://ward?allow_bucket_creation=true")
    store.create_dir("ward")
    store.delete_dir_contents("ward")
    return store
