"""Sources on Google Cloud Storage, from a server of its protocol on this machine."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from raymed.config import DataConfig
from raymed.data import read_manifest
from raymed.data.intake.objects import local_data
from raymed.errors import InputError
from raymed.stories import result_of


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Start the server, with the bucket `ward`; its host and port."""
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="ward"):
        yield f"127.0.0.1:{port}"


def put(endpoint: str, folder: Path, prefix: str) -> None:
    """Copy the files of a folder below a prefix of the bucket."""
    for path in filter(Path.is_file, sorted(folder.rglob("*"))):
        name = quote(f"{prefix}/{path.relative_to(folder).as_posix()}", safe="")
        url = f"http://{endpoint}/upload/storage/v1/b/ward/o?uploadType=media&name={name}"
        urlopen(Request(url, path.read_bytes(), method="POST"), timeout=30).close()


def data_of(endpoint: str, path: str) -> DataConfig:
    """Name a place on the server."""
    where = f"endpoint_override={endpoint}&scheme=http&retry_limit_seconds=2"
    return DataConfig(source=f"gs://anonymous@{path}?{where}", patients="none")


def test_class_folders_on_google_cloud_storage_are_read_as_on_disk(
    endpoint: str, scans: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put(endpoint, scans.root, "scans")

    local = result_of(local_data(data_of(endpoint, "ward/scans"), tmp_path_factory.mktemp("cache")))

    assert read_manifest(local).content == read_manifest(scans.data()).content


def test_a_prefix_that_holds_nothing_is_refused(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no objects"):
        result_of(local_data(data_of(endpoint, "ward/nothing"), tmp_path))


def test_a_bucket_that_is_not_there_is_named(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no bucket 'nowhere'"):
        result_of(local_data(data_of(endpoint, "nowhere/scans"), tmp_path))


def test_a_server_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        result_of(local_data(data_of("127.0.0.1:9", "ward/scans"), tmp_path))
