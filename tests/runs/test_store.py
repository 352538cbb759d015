"""`RunStore` against a real server of the S3 protocol, whose answers a proxy spoils."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from raymed.errors import EngineError, InputError
from raymed.runs import RunFolder
from raymed.runs.store import RunStore, is_same
from tests.stores import Proxy


@pytest.mark.parametrize("size", [0, 5, 9 * 2**20])
def test_a_file_comes_back_as_it_was_and_is_known_to_be_the_same(
    store: RunStore, tmp_path: Path, size: int
) -> None:
    file, back = tmp_path / "oof.arrow", tmp_path / "deep" / "back.arrow"
    file.write_bytes(os.urandom(size))

    stored = store.put(file, "stack/oof.arrow")
    store.fetch(store.list()["stack/oof.arrow"], back)

    assert back.read_bytes() == file.read_bytes()
    assert is_same(stored, file)
    assert is_same(stored, back)
    os.utime(back)
    assert not is_same(stored, back)


def test_a_small_file_is_one_request_and_a_look_at_what_was_written(
    store: RunStore, proxy: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text("{}")

    store.put(tmp_path / "a.json", "a.json")

    assert (proxy.count("PUT"), proxy.count("POST")) == (1, 0)


def test_thousands_of_objects_are_listed_in_a_few_calls(store: RunStore, proxy: Proxy) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    inside = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]  # the server is a thread of this process
    for number in range(2100):
        inside.put_object("ward", f"runs/a/members/m/fold-{number}/DONE.json", b"{}")

    assert len(store.list()) == 2100
    assert proxy.count("GET") <= 4
    assert proxy.count("HEAD") <= 1


def test_errors_for_a_while_are_waited_out(store: RunStore, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    well_again = time.monotonic() + 3
    proxy.rule = lambda *asked: 503 if time.monotonic() < well_again else None

    store.put(tmp_path / "a.json", "a.json")

    proxy.rule = lambda *asked: None
    assert store.read("a.json") == b"{}"


def test_a_store_that_stays_away_ends_the_wait_and_is_named(store: RunStore, proxy: Proxy) -> None:
    proxy.rule = lambda *asked: 500
    hasty = replace(store, patience=1)

    with pytest.raises(EngineError, match=r"s3://ward/runs/a.*waited 1 s for listing it"):
        hasty.list()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("gs://ward/runs/a", "a local path or a URL of s3://"),
        ("s3://ward", "names no folder of a bucket"),
        ("s3://ward/../a", "names no folder of a bucket"),
    ],
)
def test_what_is_no_place_for_a_run_folder_is_refused(url: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        RunFolder.at(url)


def test_a_bucket_that_is_not_there_is_refused_at_once(store: RunStore, proxy: Proxy) -> None:
    other = RunStore.at(f"s3://nowhere/run?endpoint_override={proxy.address}")
    begun = time.monotonic()

    with pytest.raises(InputError, match="there is no bucket 'nowhere'"):
        other.put(Path(__file__), "a.json")

    assert time.monotonic() - begun < 15
