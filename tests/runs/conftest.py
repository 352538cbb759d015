"""A run folder's store on a real server of the S3 protocol, behind a proxy that tests rule."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from raymed.runs.conditional import Conditional
from raymed.runs.store import RunStore
from tests.stores import Proxy, proxy_before


@pytest.fixture
def proxy(s3: Any, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Stand between this process and the server."""
    with proxy_before(s3_endpoint) as standing:
        monkeypatch.setenv("AWS_ENDPOINT_URL", standing.address)
        yield standing


@pytest.fixture
def store(proxy: Proxy) -> RunStore:
    """An empty place for a run folder, through the proxy, not waited for for long."""
    return replace(RunStore.at(f"s3://ward/runs/a?endpoint_override={proxy.address}"), patience=20)


@pytest.fixture
def objects(store: RunStore) -> Conditional:
    """The same, for conditional writes."""
    return Conditional.of(store)
