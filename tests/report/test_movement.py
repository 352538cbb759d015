"""The figure of how far each layer group moved."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raymed.files import read_json, write_json
from raymed.report import write_report
from raymed.report.material import Moved, read_material
from raymed.report.movement import movement_figure
from raymed.report.wording import small_percent
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]


def moved(member: str, *folds: dict[str, float | None]) -> Moved:
    rows = [
        (fold, place, group, relative)
        for fold, groups in enumerate(folds)
        for place, (group, relative) in enumerate(groups.items())
    ]
    table = pd.DataFrame(rows, columns=["fold", "place", "group", "relative"])
    return Moved(member, table.astype({"relative": float}))


def lines(*members: Moved) -> list[dict[str, Any]]:
    figure = movement_figure(members)
    assert figure is not None
    found: list[dict[str, Any]] = figure.spec["data"]
    return found


def test_a_line_is_the_mean_over_folds_from_stem_to_head() -> None:
    (line,) = lines(
        moved(
            "tuned",
            {"stem": 0.001, "layer1": 0.02, "head": None},
            {"stem": 0.003, "layer1": 0.04, "head": None},
        )
    )
    assert line["x"] == [0, 0.5, 1]
    assert line["y"] == [pytest.approx(0.002), pytest.approx(0.03), None]
    assert line["customdata"][1] == "layer1: 3\u00a0%, mean of 2 folds"


def test_members_with_other_numbers_of_groups_share_the_axis() -> None:
    few = moved("few", {"stem": 0.1, "layer1": 0.1, "head": None})
    many = moved("many", {"stem": 0.1, "a": 0.1, "b": 0.1, "c": 0.1, "head": None})
    assert [line["x"] for line in lines(few, many)] == [[0, 0.5, 1], [0, 0.25, 0.5, 0.75, 1]]


def test_a_body_without_groups_stands_in_the_middle() -> None:
    (line,) = lines(moved("pit", {"body": 0.1, "head": None}))
    assert line["x"] == [0.5, 1]


def test_what_did_not_move_is_left_out_and_said() -> None:
    unfrozen = moved("unfrozen", {"stem": 0.0, "layer1": 0.02, "head": None})
    probe = moved("probe", {"body": 0.0, "head": None})
    figure = movement_figure([unfrozen, probe])
    assert figure is not None
    (line,) = figure.spec["data"]
    assert line["name"] == "unfrozen"
    assert line["y"] == [None, 0.02, None]
    assert figure.caption.endswith("Nothing but the head moved in probe.")
    assert "unfrozen from 0\u00a0% (stem) to 2\u00a0% (layer1)" in figure.words
    assert "probe: nothing but its head moved" in figure.words


@pytest.mark.parametrize("members", [[], [moved("old")], [moved("probe", {"body": 0.0})]])
def test_nothing_to_draw_is_no_figure(members: list[Moved]) -> None:
    assert movement_figure(members) is None


@pytest.mark.parametrize("changes", [(0.003,), (0.01,), (0.0011, 0.0013), (1e-6, 3.0)])
def test_the_axis_holds_every_change_and_has_marks_of_its_own(changes: tuple[float, ...]) -> None:
    groups = {f"layer{at}": change for at, change in enumerate(changes)}
    figure = movement_figure([moved("m", {**groups, "head": None})])
    assert figure is not None
    axis = figure.spec["layout"]["yaxis"]
    low, high = axis["range"]
    assert all(low < np.log10(value) < high for value in changes)
    inside = [mark for mark in axis["tickvals"] if low < np.log10(mark) < high]
    assert 2 <= len(inside) <= 10


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0"), (4.321e-5, "0.0043"), (0.01, "1"), (0.1234, "12"), (1.5, "150"), (0.999, "100")],
)
def test_small_shares_keep_two_digits(share: float, words: str) -> None:
    assert small_percent(share) == f"{words}\u00a0%"


def test_group_names_are_no_markup(make_run: Make) -> None:
    text = write_report(make_run()).read_text(encoding="utf-8")
    assert "<b>1</b>" not in text
    found = re.search(r'id="movement-spec">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    names = [line["customdata"][2] for line in json.loads(found[1])["data"]]
    assert names == ["&lt;b&gt;1&lt;/b&gt;: 0.44\u00a0%, mean of 3 folds"] * 2


def test_a_run_folder_that_does_not_tell_still_has_a_report(make_run: Make) -> None:
    """Folds that an older raymed trained; then one fold alone that was trained since."""
    run = make_run()
    markers = sorted(run.path.glob("members/*/fold-*/DONE.json"))
    for marker in markers:
        facts = read_json(marker)
        del facts["moved"]
        write_json(marker, facts)
    assert all(each.groups.empty for each in read_material(run).moved)
    assert 'id="movement"' not in write_report(run).read_text(encoding="utf-8")

    known = {"group": "stem", "relative": 0.1, "absolute": 1.0}
    write_json(markers[-1], {**read_json(markers[-1]), "moved": [known]})
    assert 'id="movement"' in write_report(run).read_text(encoding="utf-8")
