"""What a process adds to its reports: where it is; how busy its card is only where one says."""

from typing import Any

import pytest
import torch
from pynvml import NVML_ERROR_NOT_SUPPORTED, NVMLError

from raymed.cluster.telling import Telling, gpu_busy
from raymed.training import Progress


def test_a_report_says_which_node_it_comes_from_and_invents_no_card() -> None:
    said = Telling().told(Progress(3, 9, loss=0.5))

    assert said.node
    assert said.gpu_busy is None
    assert (said.step, said.loss) == (3, 0.5)


def test_a_card_that_says_so_is_busy_for_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "utilization", lambda: 87)

    assert Telling().told(Progress(1, 2)).gpu_busy == 0.87


@pytest.mark.parametrize(
    "error", [NVMLError(NVML_ERROR_NOT_SUPPORTED), RuntimeError("no driver"), OSError("no library")]
)
def test_a_card_that_does_not_say_leaves_it_open(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> Any:
        raise error

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "utilization", fail)

    assert gpu_busy() is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a driver to ask")
def test_a_machine_without_a_driver_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)

    assert gpu_busy() is None
