"""`raymed lr-find` leaves its plot and points beside the run, and never trains a member."""

import json
from pathlib import Path
from typing import Any

import pytest

from raymed.errors import InputError
from raymed.pipeline.rates import FoundRate, find_rate


def run(events: Any) -> FoundRate:
    while True:
        try:
            next(events)
        except StopIteration as end:
            found: FoundRate = end.value
            return found


def test_it_writes_a_plot_and_its_points(make: Any, tmp_path: Path) -> None:
    found = run(find_rate(make(), tmp_path / "run", steps=20))

    assert (found.member, found.phase) == ("cnn", 1)
    page = found.page.read_text()
    assert found.page == tmp_path / "run" / "lr-find" / "cnn-phase-1.html"
    assert "learning rate of the head" in page
    assert "</html>" in page
    told = json.loads(found.page.with_suffix(".json").read_text())
    assert len(told["points"]) == len(found.points) <= 20
    assert told["suggested"] == found.suggested
    assert not (tmp_path / "run" / "members").exists()


def test_a_member_or_phase_that_is_not_there_is_refused(make: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no 'cmn'; did you mean 'cnn'"):
        run(find_rate(make(), tmp_path, member="cmn"))
    with pytest.raises(InputError, match="cnn has 1 phases, not 2"):
        run(find_rate(make(), tmp_path, member="cnn", phase=2))
