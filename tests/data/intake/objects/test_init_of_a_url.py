"""What is proposed for a URL names the URL wherever intake can read it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raymed.data.proposal import Proposal, proposing
from raymed.errors import InputError
from raymed.pipeline.proposing import Wishes, examine, settle, write_configuration
from raymed.stories import result_of

Upload = Callable[[Path, str], None]


def proposed(url: str, cache: Path) -> Proposal:
    return result_of(proposing(url, cache))


def test_class_folders_in_a_bucket_are_named_by_their_url(
    scans: Any, upload: Upload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(scans.root, "ward/images")
    monkeypatch.setenv("RAYMED_CACHE", str(tmp_path / "cache"))

    found = proposed("s3://ward/ward", tmp_path / "cache")

    assert found.source == "s3://ward/ward/images"
    assert found.order.classes == ("well", "ill") or found.order.classes == ("ill", "well")
    assert found.patients is not None
    wishes = Wishes("ward", found.order, found.patients.setting)
    settled = result_of(settle(result_of(examine(found, wishes))))
    write_configuration(settled, tmp_path / "a.yaml")
    assert "source: s3://ward/ward/images\n" in (tmp_path / "a.yaml").read_text()


def test_where_a_manifest_must_be_made_the_copy_is_named_and_said(
    toy: Any, upload: Upload, tmp_path: Path
) -> None:
    toy.images(
        *[f"set/patient{who}/{label}/1.png" for who in range(3) for label in ("ill", "well")]
    )
    upload(toy.root / "set", "set")

    found = proposed("s3://ward/set", tmp_path / "cache")

    assert found.manifest is not None
    assert found.settings["root"].is_relative_to(tmp_path / "cache")
    assert "its copy in the cache is named" in found.notes[-1]


def test_an_empty_prefix_is_refused(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="s3://ward/nothing"):
        proposed("s3://ward/nothing", tmp_path / "cache")
