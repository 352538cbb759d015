"""The page is whole, says everything, and asks the network for nothing."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from raymed.errors import InputError
from raymed.files import read_json, write_json
from raymed.report import write_report
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]
LOADING = {"src", "href", "srcset", "action", "poster", "data", "xlink:href", "background"}
SENTENCE = "Leakage was not excluded"


class _Page(HTMLParser):
    """The words, the attributes and the figures of a page, scripts and styles apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.headings: list[int] = []
        self.figures: list[str] = []
        self.words = ""
        self.styles = ""
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in LOADING]
        if tag in ("script", "style", "figure"):
            self.inside.append(tag)
        if tag == "figure":
            self.figures.append("")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "figure"):
            self.inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if "style" in self.inside:
            self.styles += data
        elif "script" not in self.inside:
            self.words += data
            if self.inside:
                self.figures[-1] += data


def _page(run: RunFolder) -> _Page:
    return _Page(write_report(run).read_text(encoding="utf-8"))


def test_the_page_can_ask_the_network_for_nothing(make_run: Make) -> None:
    text = write_report(make_run()).read_text(encoding="utf-8")
    page = _Page(text)
    assert page.links
    assert all(link.startswith("#") or link == "data:," for link in page.links)
    assert "url(" not in page.styles
    assert "@import" not in page.styles
    assert "default-src 'none'" in text  # and the browser is told to refuse the rest


def test_the_page_is_one_file_of_less_than_10_mb(make_run: Make) -> None:
    run = make_run()
    path = write_report(run)
    assert path == run.report_file
    assert path.stat().st_size < 10e6
    assert path.read_text(encoding="utf-8").count("plotly.js v") == 1


def test_every_row_and_every_interval_appears(make_run: Make) -> None:
    run = make_run()
    words = _page(run).words
    for row in read_json(run.metrics_file)["rows"]:
        assert row["name"] in words
        for scores in (*row["oof"].values(), *row["test"].values()):
            for found in scores["metrics"].values():
                assert f"{found['low']:.3f} to {found['high']:.3f}" in words


def test_what_failed_and_what_was_left_out_is_named(make_run: Make) -> None:
    words = " ".join(_page(make_run()).words.split())
    assert "Member broken failed and is not in the stack: loss <nan> in epoch 2" in words
    assert "scratch-tiny was left out: no better than the class prior" in words


def test_what_is_undefined_is_a_dash(make_run: Make) -> None:
    run = make_run(patients=6)  # 2 patients a class: no interval
    metrics = read_json(run.metrics_file)
    metrics["failed"] = []  # its reason says nan, and may
    metrics["rows"][1]["oof"]["patient"]["metrics"]["auroc"]["value"] = None
    write_json(run.metrics_file, metrics)
    words = _page(run).words
    assert "\N{EN DASH}" in words
    assert not re.search(r"\b(nan|None|null)\b", words.partition("Configuration")[0])


def test_undeclared_patients_are_said_on_every_figure(make_run: Make) -> None:
    page = _page(make_run(declared=False))
    # In each of 2 views a confusion and a reliability; 2 intervals; 3 members' curves; movement;
    # abstention; pairs and patterns; 2 curves of each of 3 classes; hidden people.
    assert len(page.figures) == 2 * 2 + 2 + 3 + 1 + 1 + 2 + 2 * 3 + 1
    assert all(SENTENCE in figure for figure in page.figures)
    assert SENTENCE in page.words.partition("Scores")[0]  # and at the top
    declared = _page(make_run(declared=True))
    assert SENTENCE not in declared.words


def test_class_names_are_text_not_markup(make_run: Make) -> None:
    run = make_run()
    text = write_report(run).read_text(encoding="utf-8")
    assert "<i>no tumour" not in text
    assert "&lt;i&gt;no tumour&lt;/i&gt; &amp; co" in text
    assert "<i>no tumour</i> & co" in _Page(text).words


def test_a_member_name_is_no_markup_inside_a_figure(make_run: Make) -> None:
    run = make_run()
    metrics = read_json(run.metrics_file)
    metrics["rows"][1]["name"] = "</script><b>probe"
    write_json(run.metrics_file, metrics)
    text = write_report(run).read_text(encoding="utf-8")
    assert "</script><b>probe" not in text
    spec = re.search(r'id="interval-auroc-oof-patient-spec">(.*?)</script>', text, re.DOTALL)
    assert spec is not None
    labels = json.loads(spec[1])["layout"]["yaxis"]["ticktext"]
    assert "&lt;/script&gt;&lt;b&gt;probe" in labels  # Plotly would read tags


def test_headings_come_in_order(make_run: Make) -> None:
    levels = _page(make_run()).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_what_was_run_is_written_down(make_run: Make) -> None:
    words = _page(make_run()).words
    for fact in ("2.8.0", "a1" * 32, "b20e77", "1 h 0 min", "Linux-x86_64", "source:", "seed 7"):
        assert fact in words


def test_a_member_without_complete_folds_has_no_curves_but_a_report(make_run: Make) -> None:
    run = make_run()
    for fold in range(3):
        (run.member("3f9a1c").fold(fold) / "DONE.json").unlink()
    assert len(_page(run).figures) == len(_page(make_run()).figures) - 1


@pytest.mark.parametrize("name", ["metrics.json", "audit.json"])
def test_a_run_without_its_figures_is_refused(make_run: Make, name: str) -> None:
    run = make_run()
    (run.path / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file; run raymed build first"):
        write_report(run)
    assert not run.report_file.exists()


def test_figures_of_another_schema_are_refused(make_run: Make) -> None:
    run = make_run()
    write_json(run.metrics_file, {**read_json(run.metrics_file), "schema": 99})
    with pytest.raises(InputError, match="schema: is not 1"):
        write_report(run)


def test_a_binary_question_names_each_rows_threshold_and_how_it_was_chosen(make_run: Make) -> None:
    run = make_run()
    assert "At the threshold." not in _page(run).words
    metrics = read_json(run.metrics_file) | {"positive": ["glioma"]}
    metrics["rows"][-1]["thresholds"] = {"image": 0.41, "patient": 0.37}
    write_json(run.metrics_file, metrics)
    write_report(run)
    words = _Page(run.report_file.read_text(encoding="utf-8")).words
    assert "threshold 0.410 at image level, threshold 0.370 at patient level" in words
    assert "At the threshold." in words
