"""The peak of a process is that since it was asked to watch."""

import sys

import numpy as np
import pytest

from raymed.pipeline.memory import PeakMemory

MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_an_earlier_peak_is_forgotten() -> None:
    large = np.ones(256 * MIB, dtype=np.uint8)
    del large
    memory = PeakMemory.begin("cpu")
    if not memory.known:
        pytest.skip("this system does not let a process forget its peak")
    before = memory.in_bytes()
    small = np.ones(64 * MIB, dtype=np.uint8)
    after = memory.in_bytes()
    del small

    assert before is not None
    assert after is not None
    assert 32 * MIB < after - before < 128 * MIB


def test_a_peak_that_cannot_be_known_is_not_made_up() -> None:
    assert PeakMemory("cpu", known=False).in_bytes() is None
