"""A bucket that tests fill, on the server of `tests/conftest.py`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
