"""A real server of the S3 protocol on this machine, with a bucket that tests fill."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto.server", reason="moto[server] is not installed")


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Start the server for all tests."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """pyarrow's file system on the server, which the environment names, with an empty bucket."""
    from pyarrow import fs

    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    store, _ = fs.FileSystem.from_uri("s3://ward?allow_bucket_creation=true")
    store.create_dir("ward")
    store.delete_dir_contents("ward")
    return store


Upload = Callable[[Path, str], None]


@pytest.fixture
def upload(s3: Any) -> Upload:
    """Copy the files of a folder below a prefix of the bucket."""

    def copy(folder: Path, prefix: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = f"ward/{prefix}/{path.relative_to(folder).as_posix()}"
                with s3.open_output_stream(name) as stream:
                    stream.write(path.read_bytes())

    return copy
