"""Hidden people in the report: the histogram with its threshold, and strips of some groups."""

from collections.abc import Callable

import numpy as np

from raymed.files import read_json, write_json
from raymed.pipeline.contact import write_contact_sheet
from raymed.report import write_report
from raymed.report.hidden import hidden_figure
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]


def test_the_histogram_shows_both_kinds_and_the_threshold(make_run: Make) -> None:
    hidden = read_json(make_run().audit_file)["hidden_groups"]

    figure = hidden_figure(hidden)

    assert figure is not None
    names = [trace["name"] for trace in figure.spec["data"]]
    assert names == ["nearest stranger", "nearest of the same group"]
    assert figure.spec["data"][0]["y"] == [30 / 40, 9 / 40, 1 / 40, 0.0]
    assert [line["x0"] for line in figure.spec["layout"]["shapes"]] == [3.5]


def test_without_a_histogram_there_is_no_figure() -> None:
    assert hidden_figure(None) is None
    assert hidden_figure({"histogram": None, "threshold": None}) is None


def test_the_page_shows_the_groups_and_says_what_the_folds_do(make_run: Make) -> None:
    run = make_run()
    audit = read_json(run.audit_file)
    audit["hidden_groups"]["groups"] = {"p01_s1": "group-0001", "p01_s2": "group-0001"}
    write_json(run.audit_file, audit)
    thumbnails = np.zeros((2, 64, 64), dtype=np.uint8)
    write_contact_sheet(run.contact_file, audit, ["p01_s1", "p01_s2"], thumbnails)

    page = write_report(run).read_text(encoding="utf-8")

    assert "10 groups of 40 images in all" in page
    assert 'alt="2 images of group-0001"' in page
    assert 'width="128" height="64"' in page
    assert "p01_s1" not in page
    assert "p01_s1, p01_s2" in write_report(run, ids_shown=True).read_text(encoding="utf-8")


def test_an_audit_of_an_earlier_raymed_is_still_shown(make_run: Make) -> None:
    run = make_run()
    audit = read_json(run.audit_file)
    audit["leak"] = audit.pop("leak_sentinel")
    del audit["hidden_groups"], audit["duplicates"]["near"]
    for finding in audit["findings"]:
        del finding["name"]
    write_json(run.audit_file, audit)

    page = write_report(run).read_text(encoding="utf-8")

    assert "Hidden people" not in page
    assert "2 exact duplicates" in page
    assert "nearest neighbour on 32 x 32 pixels" in page
