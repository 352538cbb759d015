"""Data sets in S3 are fetched once, and are the same as local ones from there on."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from raymed.config import DataConfig
from raymed.data import read_manifest
from raymed.data.intake.objects import fetching, local_data
from raymed.data.intake.steps import Remark, Step
from raymed.errors import DiskFullError, InputError
from raymed.stories import result_of
from tests.data.intake.test_webdataset import patients, png, write_tar


def fetch(url: str, cache: Path, **settings: Any) -> tuple[DataConfig, list[Step | Remark]]:
    """Make a source local; returns its configuration and what was told meanwhile."""
    steps = local_data(DataConfig(source=url, patients="none", **settings), cache)
    told: list[Step | Remark] = []
    return result_of(steps, told.append), told


def fetched(told: list[Step | Remark]) -> int:
    """How many objects were fetched."""
    steps = [step for step in told if isinstance(step, Step) and step.name.startswith("fetching")]
    return steps[-1].done if steps else 0


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_prefix_of_class_folders_is_the_set_that_it_is_locally(scans, upload, cache) -> None:
    upload(scans.root, "a b/scans")
    data, told = fetch("s3://ward/a b/scans", cache)
    assert read_manifest(data).content == read_manifest(scans.data()).content
    assert fetched(told) == 8
    assert Step("listing s3://ward/a b/scans", 8) in told


def test_list_samples_takes_a_url_like_a_path(scans, upload) -> None:
    upload(scans.root, "scans")
    data = DataConfig(source="s3://ward/scans", patients="none")
    assert read_manifest(data).content == read_manifest(scans.data()).content


def test_what_lies_in_the_cache_is_not_fetched_again(scans, upload, cache) -> None:
    upload(scans.root, "scans")
    fetch("s3://ward/scans", cache)
    assert fetched(fetch("s3://ward/scans/", cache)[1]) == 0


def test_changes_in_the_bucket_are_followed(s3, scans, upload, cache) -> None:
    upload(scans.root, "scans")
    fetch("s3://ward/scans", cache)
    time.sleep(1.1)  # the protocol tells whole seconds
    for name, content in (("ill/p1_0.png", png(50)), ("ill/p9_0.png", png(51))):
        (scans.root / name).write_bytes(content)
        with s3.open_output_stream(f"ward/scans/{name}") as stream:
            stream.write(content)
    (scans.root / "well/p4_1.png").unlink()
    s3.delete_file("ward/scans/well/p4_1.png")
    data, told = fetch("s3://ward/scans", cache)
    assert fetched(told) == 2
    assert read_manifest(data).content == read_manifest(scans.data()).content


def test_a_file_that_was_harmed_is_fetched_again(scans, upload, cache) -> None:
    upload(scans.root, "scans")
    data, _ = fetch("s3://ward/scans", cache)
    (Path(data.source) / "ill/p1_0.png").write_bytes(b"x")
    data, told = fetch("s3://ward/scans", cache)
    assert fetched(told) == 1
    assert read_manifest(data).content == read_manifest(scans.data()).content


@pytest.mark.parametrize(
    "url", ["s3://ward/set", "s3://ward/set/train-{0..1}.tar", "s3://ward/set/*.tar"]
)
def test_tars_are_one_set_below_a_prefix_or_by_a_pattern(toy, upload, cache, url: str) -> None:
    members = list(patients().items())
    for shard in range(2):
        path = toy.root / f"set/train-{shard}.tar"
        write_tar(path, dict(members[12 * shard : 12 * shard + 12]))
    upload(toy.root / "set", "set")
    data, _ = fetch(url, cache)
    assert read_manifest(data).content == read_manifest(toy.data("set")).content


def test_one_object_is_fetched_without_its_neighbours(toy, upload, cache) -> None:
    write_tar(toy.root / "a.tar", patients())
    table = pa.table({"image": [png(n) for n in range(4)], "label": ["x", "y"] * 2})
    pq.write_table(table, toy.root / "b.parquet")
    upload(toy.root, "set")
    for name in ("a.tar", "b.parquet"):
        data, told = fetch(f"s3://ward/set/{name}", cache)
        assert fetched(told) == 1
        assert read_manifest(data).content == read_manifest(toy.data(name)).content


def test_a_manifest_brings_the_images_and_folders_that_it_names(toy, scans, upload, cache) -> None:
    names = ["ill/p1_0.png", "ill/p1_1.png", "well"]
    pd.DataFrame({"image": names, "label": ["ill", "ill", "well"]}).to_csv(
        toy.root / "m.csv", index=False
    )
    upload(toy.root, "set")
    data, _ = fetch("s3://ward/set/m.csv", cache)
    kept = {path.name for path in Path(data.source).parent.rglob("*.png")}
    assert kept == {"p1_0.png", "p1_1.png", "p3_0.png", "p3_1.png", "p4_0.png", "p4_1.png"}
    assert read_manifest(data).content == read_manifest(toy.data("m.csv")).content


def test_a_manifest_that_names_images_elsewhere_is_refused(toy, upload, cache) -> None:
    toy.text("m.csv", "image,label\n/data/a.png,ill\n")
    upload(toy.root, "set")
    with pytest.raises(InputError, match=r"its manifest names .* not lie below it: /data/a"):
        fetch("s3://ward/set/m.csv", cache)


def test_endpoint_and_anonymity_may_stand_in_the_url(
    scans, upload, cache, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(scans.root, "scans")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    options = f"endpoint_override={s3_endpoint}&anonymous=true&region=us-east-1"
    data, told = fetch(f"s3://ward/scans?{options}", cache)
    assert fetched(told) == 8
    assert read_manifest(data).content == read_manifest(scans.data()).content


@pytest.mark.slow
def test_a_fetch_that_was_killed_goes_on_where_it_was(toy, upload, cache) -> None:
    for number in range(150):
        path = toy.root / f"set/c{number % 2}/{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    upload(toy.root / "set", "set")
    code = (
        "import sys; from pathlib import Path\n"
        "from raymed.config import DataConfig\n"
        "from raymed.data.intake.objects import local_data\n"
        "from raymed.stories import result_of\n"
        "data = DataConfig(source='s3://ward/set', patients='none')\n"
        "result_of(local_data(data, Path(sys.argv[1])))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(cache)])
    while len(list(cache.rglob("*.png"))) < 20:
        assert process.poll() is None, "it must not end by itself before 20 of 150 are here"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(list(cache.rglob("[!.]*.png")))
    (next(cache.rglob("c0")) / ".x.png.1-2.tmp").write_bytes(b"half")
    data, told = fetch("s3://ward/set", cache)
    assert 20 <= before < 150
    assert fetched(told) == 150 - before
    assert not list(Path(data.source).rglob("*.tmp"))
    assert read_manifest(data).content == read_manifest(toy.data("set")).content


def test_a_store_that_does_not_answer_is_named_unless_all_was_fetched_before(
    scans, upload, cache, tmp_path_factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(scans.root, "scans")
    server = os.environ["AWS_ENDPOINT_URL"]
    url = f"s3://ward/scans?endpoint_override={server}"
    fetch(url, cache)
    closed = "s3://ward?endpoint_override=http://127.0.0.1:1&region=us-east-1"
    store, _ = fs.FileSystem.from_uri(closed)
    with pytest.raises(OSError, match="curlCode: 7") as refused:  # nobody listens on port 1
        store.get_file_info("ward/scans")

    def not_answering(*_: object) -> Any:
        raise refused.value
        yield

    monkeypatch.setattr(fetching, "list_objects", not_answering)
    with pytest.raises(InputError, match=r"scans.*: cannot be reached \(.*127\.0\.0\.1:1 "):
        fetch(url, tmp_path_factory.mktemp("empty"))
    data, told = fetch(url, cache)
    assert [step for step in told if isinstance(step, Remark)]
    assert read_manifest(data).content == read_manifest(scans.data()).content
    (Path(data.source) / "ill/p1_0.png").unlink()
    with pytest.raises(InputError, match="cannot be reached"):
        fetch(url, cache)


def test_google_cloud_that_does_not_answer_is_named(cache) -> None:
    url = "gs://anonymous@ward/x?scheme=http&endpoint_override=127.0.0.1:1&retry_limit_seconds=1"
    with pytest.raises(InputError, match=r"^gs://.*: cannot be reached .*; see the network; run"):
        fetch(url, cache)


def test_a_bucket_or_prefix_that_is_not_there_is_named(s3, cache) -> None:
    for url, fault in (
        ("s3://no-such-ward/x", r"there is no bucket 'no-such-ward'; see its name"),
        ("s3://no-such-ward", r"there is no bucket 'no-such-ward'; see its name"),
        ("s3://ward/nothing", r"s3://ward/nothing: holds no objects"),
        ("s3://ward/train-{0..3}.tar", r"no object has a name like this"),
    ):
        with pytest.raises(InputError, match=fault):
            fetch(url, cache)


def test_wrong_keys_are_told_with_what_to_set(s3, scans, upload, cache) -> None:
    from moto.core import set_initial_no_auth_action_count

    upload(scans.root, "scans")

    @set_initial_no_auth_action_count(0)
    def denied() -> None:
        with pytest.raises(InputError, match=r"access is denied \(.*set AWS_ACCESS_KEY_ID and"):
            fetch("s3://ward/scans", cache)

    denied()


def test_unknown_options_are_refused(s3, cache) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(.*'flavour'"):
        fetch("s3://ward/scans?flavour=sweet", cache)


def test_a_full_disk_is_told_before_and_while_fetching(
    scans, upload, cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(scans.root, "scans")
    little = shutil._ntuple_diskusage(10**9, 10**9, 100)  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: little)
        with pytest.raises(DiskFullError, match=r"are to be fetched, and 0\.0 GB are free"):
            fetch("s3://ward/scans", cache)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(DiskFullError, match="the disk is full"):
            fetch("s3://ward/scans", cache)
    assert not [path for path in cache.rglob("*") if path.suffix in (".png", ".tmp")]


def test_objects_that_cannot_be_files_are_refused(s3, cache) -> None:
    for name in ("set/ill", "set/ill/a.png"):
        with s3.open_output_stream(f"ward/{name}") as stream:
            stream.write(png(0))
    with pytest.raises(InputError, match=r"is an object, and so is a part of its path; rename"):
        fetch("s3://ward/set", cache)


def test_two_processes_do_not_fetch_at_once(scans, upload, cache) -> None:
    upload(scans.root, "scans")
    first = local_data(DataConfig(source="s3://ward/scans", patients="none"), cache)
    next(first)
    second = local_data(DataConfig(source="s3://ward/scans", patients="none"), cache)
    told = next(second)
    assert isinstance(told, Step)
    assert told.name.startswith("waiting for another process")
    result_of(first)
    result_of(second)
