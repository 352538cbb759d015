"""Where weights can be had; the hub is a stand-in."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from raymed.pipeline.proposing import weights

MODELS = ("mobilenetv2_100", "tf_efficientnet_lite0")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty cache, and a hub that is asked and never answers."""
    urls: list[str] = []

    def refuse(url: str, timeout: float) -> None:
        urls.append(url)
        raise OSError("no network")

    monkeypatch.setattr(weights, "get_hf_file_metadata", refuse)
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda repository, file: None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return urls


def test_a_hub_that_does_not_answer_is_asked_once(asked: list[str]) -> None:
    assert weights.find_weights(MODELS) == dict.fromkeys(MODELS, "nowhere")
    assert len(asked) == 1
    assert "timm/mobilenetv2_100" in asked[0]


def test_offline_nothing_is_asked(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert set(weights.find_weights(MODELS).values()) == {"nowhere"}
    assert asked == []


def test_what_is_in_the_cache_is_found_without_a_network(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def cached(repository: str, file: str) -> str | None:
        return str(tmp_path) if "lite0" in repository and file.endswith("safetensors") else None

    monkeypatch.setattr(weights, "try_to_load_from_cache", cached)

    assert weights.find_weights(MODELS[::-1]) == {MODELS[0]: "nowhere", MODELS[1]: "cache"}


def test_a_hub_that_answers_has_them(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "get_hf_file_metadata", lambda url, timeout: None)

    assert weights.find_weights([*MODELS, "test_resnet_without_weights"]) == {
        **dict.fromkeys(MODELS, "hub"),
        "test_resnet_without_weights": "nowhere",
    }
