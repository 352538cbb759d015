"""A source is a path or a URL; keys and other schemes are refused at the door."""

from pathlib import Path

import pytest

from raymed.config import DataConfig, parse_experiment, write_experiment
from raymed.errors import InputError

RECIPES = {"a": {"model": "resnet18", "pretrained": "none", "size": 32}}


def experiment(source: object, folder: Path):
    data = {"source": source, "patients": "none"}
    return parse_experiment({"name": "x", "data": data, "recipes": RECIPES}, folder, "x.yaml")


def test_a_relative_path_starts_at_the_configuration(tmp_path: Path) -> None:
    assert experiment("scans/a", tmp_path).data.source == tmp_path.resolve() / "scans/a"
    assert experiment("~/scans", tmp_path).data.source == Path("~/scans").expanduser().resolve()


@pytest.mark.parametrize(
    "url",
    [
        "s3://ward/scans",
        "s3://ward",
        "gs://anonymous@ward/scans",
        "s3://ward/train-{000..003}.tar?endpoint_override=http://localhost:9000&region=eu",
    ],
)
def test_a_url_stays_as_it_is_and_survives_a_round_trip(tmp_path: Path, url: str) -> None:
    import yaml

    first = experiment(url, tmp_path)
    assert first.data.source == url
    written = yaml.safe_load(write_experiment(first))
    assert parse_experiment(written, Path("/elsewhere"), "x.yaml") == first


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("http://ward/scans", r"data\.source: http:// is not read; give s3:// or gs://"),
        ("s3:///scans", r"data\.source: names no bucket; write s3://bucket/prefix"),
        (
            "s3://key:word@ward/scans",
            r"data\.source: holds a key; keys belong into",
        ),
        ("s3://ward/a#b", r"data\.source: '#' in a URL is not read"),
        (5, r"data\.source: Input is not a valid path"),
    ],
)
def test_what_is_no_source_is_refused(tmp_path: Path, source: object, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        experiment(source, tmp_path)


def test_a_path_object_is_a_path() -> None:
    assert DataConfig(source=Path("scans"), patients="none").source == Path("scans")
