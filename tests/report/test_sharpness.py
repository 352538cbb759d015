"""The report's section on sharpness: there when asked for, honest about what it is."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from raymed.files import read_json, write_json
from raymed.report import write_report
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]
MEMBERS = ("probe-lite0", "tuned-lite0", "scratch-tiny")


def _text(run: RunFolder) -> str:
    return write_report(run).read_text(encoding="utf-8")


def _section(text: str) -> str:
    return text.partition('<section id="sharpness">')[2].partition("</section>")[0]


def _spec(text: str, key: str) -> dict[str, Any]:
    found = re.search(rf'id="{key}-spec">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    spec: dict[str, Any] = json.loads(found[1])
    return spec


def test_every_member_is_in_the_table_and_the_section_says_that_it_selects_nothing(
    measure: Make,
) -> None:
    section = " ".join(_section(_text(measure())).split())

    for name in MEMBERS:
        assert name in section
    assert "it never selects anything" in section
    assert "Sharpness does not reliably predict generalization" in section
    assert "3 samples" in section
    assert section.count("head, 2 parameters") == 1
    assert section.count("all layers, 2 parameters") == 2


def test_two_members_stand_side_by_side_on_one_scale_and_in_words(measure: Make) -> None:
    text = _text(measure())
    one, two = (_spec(text, f"surface-{at}")["data"][0] for at in (0, 1))

    assert (one["zmin"], one["zmax"]) == (two["zmin"], two["zmax"])
    # scratch-tiny, the third, is the higher bowl: 0.5 + 4 (1 + 1) in the corners
    assert one["zmax"] == pytest.approx(0.9294, abs=1e-4)  # log10 8.5
    assert [trace["name"] for trace in _spec(text, "surface-line")["data"]] == [
        "tuned-lite0",
        "scratch-tiny",
    ]
    words = unescape(_section(text))
    assert "Loss around the weights of tuned-lite0" in words
    assert "0.500 at the weights, from 0.500 to 6.500 on the square" in words
    assert 'id="surface-2"' not in text


def test_what_is_not_finite_is_a_dash_and_a_gap(measure: Make) -> None:
    run = measure()
    path = run.member("b20e77").sharpness_file
    stored = read_json(path)
    stored["figures"] |= dict.fromkeys(("top_eigenvalue", "trace", "trace_error", "adaptive"))
    stored["plane"]["losses"][0] = [None] * 11
    stored["line"]["losses"] = [None] * 21
    write_json(path, stored)

    text = _text(run)

    assert not re.search(r"\b(nan|None|null)\b", re.sub(r"<script.*?</script>", "", _section(text)))
    assert _spec(text, "surface-0")["data"][0]["z"][0] == [None] * 11
    assert "nothing finite" in text


def test_a_run_that_did_not_ask_for_it_says_nothing_of_it(measure: Make) -> None:
    assert _section(_text(measure(asked=False))) == ""


def test_a_member_without_a_measurement_is_left_out(measure: Make) -> None:
    run = measure()
    run.member("b20e77").sharpness_file.unlink()
    section = _section(_text(run))
    assert "tuned-lite0" not in section
    assert "scratch-tiny" in section


def test_undeclared_patients_are_said_there_too(measure: Make) -> None:
    section = _section(_text(measure(declared=False)))
    # the table and three figures
    assert section.count("Leakage was not excluded") == 4
