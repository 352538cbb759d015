"""Pictures in the report: boxes of each class, odd ones to look at, and what tells the class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from raymed.data.audit.pictures.distributions import QUANTILES
from raymed.files import read_json, write_json
from raymed.pipeline.contact import write_contact_sheet
from raymed.report import write_report
from raymed.report.pictures import picture_figures
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]


def spread(by: str, group: str, start: int) -> dict[str, Any]:
    """Give the distributions of a group whose widths are all alike."""
    levels = [float(start + step) for step in range(7)]
    alike = [64.0] * 7
    return {
        "by": by,
        "group": group,
        "images": 40,
        "mean": levels,
        "contrast": levels,
        "width": alike,
        "height": alike,
    }


@pytest.fixture
def pictures() -> dict[str, Any]:
    """What the audit told of pictures, two of them constant and two marked."""
    ways = ("constant", "empty", "clipped", "odd_size", "in_colour", "in_grey")
    odd: dict[str, Any] = {way: {"images": 0, "examples": []} for way in ways}
    odd["constant"] = {"images": 2, "examples": ["p01_s1", "p01_s2"]}
    place = {"box": [0.1, 0.1, 0.1, 0.1], "images": 2, "people": 2}
    return {
        "odd": odd,
        "marks": {
            "images": 2,
            "people": 2,
            "places": [place],
            "examples": ["p01_s1", "p01_s2"],
            "sizes": [[64, 64], [64, 32]],
        },
        "quantiles": list(QUANTILES),
        "distributions": [spread("class", "<ill>", 50), spread("site", "north", 70)],
        "associations": [
            {
                "fact": "marked",
                "origin": True,
                "measure": "eta_squared",
                "effect": 0.91,
                "p": 1e-9,
                "p_adjusted": 2e-9,
            }
        ],
        "told_by_origin": {
            "balanced_accuracy": 0.912,
            "shuffled_labels": {"mean": 0.501, "most": 0.62},
            "class": "<ill>",
            "recall": 0.93,
            "false_alarms": 0.11,
            "skill": 0.82,
            "p": 0.01,
        },
    }


def test_a_box_shows_the_quantiles_of_a_group(pictures: dict[str, Any]) -> None:
    figures = picture_figures(pictures)

    assert [figure.key for figure in figures] == ["pictures-mean", "pictures-contrast"]
    first, second = figures[0].spec["data"]
    assert (first["lowerfence"], first["median"], first["upperfence"]) == ([51], [53], [55])
    assert (first["name"], second["name"]) == ("by class", "by site")
    assert "north 73" in figures[0].words


def test_the_page_shows_odd_pictures_and_what_tells_the_class(
    make_run: Make, pictures: dict[str, Any]
) -> None:
    run = make_run()
    audit = read_json(run.audit_file)
    audit["pictures"] = pictures
    audit["class_by_site"] = {"cramers_v": 0.62, "p": 0.0005}
    classes = len(audit["classes"])
    row = {"name": "north <1>", "samples": [7] * classes, "patients": [3] * classes}
    audit["tables"] = {"site": [row], "split": [], "images_per_patient": []}
    audit["hidden_groups"]["groups"] = {"p01_s1": "group-0001", "p01_s2": "group-0001"}
    write_json(run.audit_file, audit)
    thumbnails = np.zeros((2, 64, 64), dtype=np.uint8)
    write_contact_sheet(run.contact_file, audit, ["p01_s1", "p01_s2"], thumbnails)

    page = write_report(run).read_text(encoding="utf-8")

    assert 'alt="2 images of group-0001"' in page
    assert 'alt="2 images: of one level of grey"' in page
    assert 'alt="2 images: with marks burnt in at constant places"' in page
    assert "balanced accuracy of 0.912" in page
    assert "tells &lt;ill&gt; best from the rest" in page
    assert "Cramér’s V 0.620" in page
    assert "7 (3)" in " ".join(page.split())
    assert "says where a picture comes from" in page


def test_a_set_without_odd_pictures_says_so(make_run: Make, pictures: dict[str, Any]) -> None:
    run = make_run()
    audit = read_json(run.audit_file)
    pictures["odd"]["constant"] = {"images": 0, "examples": []}
    pictures["marks"] = {"images": 0, "people": 0, "places": [], "examples": [], "sizes": []}
    pictures["told_by_origin"] = None
    write_json(run.audit_file, {**audit, "pictures": pictures})

    page = write_report(run).read_text(encoding="utf-8")

    assert "No picture is constant, nearly empty, clipped" in page
    assert "nothing of the class can be read from them" in page
