import importlib.metadata

import pytest

import raymed
from raymed.pipeline.libraries import library_versions


def test_versions_are_told_where_raymed_and_a_library_are_no_installed_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name in ("raymed", "timm"):
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = library_versions()
    assert found["raymed"] == raymed.__version__
    assert found["torch"] == known("torch")
    assert "timm" not in found
