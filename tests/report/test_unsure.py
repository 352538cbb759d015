"""What to refer, and how members err together, as the page tells them."""

from collections.abc import Callable

from raymed.files import read_json, write_json
from raymed.report import write_report
from raymed.report.material import read_material
from raymed.report.referral import abstention_figures, scored_sets
from raymed.runs import RunFolder


def page(run: RunFolder) -> str:
    return write_report(run).read_text(encoding="utf-8")


def test_sets_are_told_by_level_and_split_patients_first(
    make_run: Callable[..., RunFolder],
) -> None:
    run = make_run()

    titles = [each.title for each in scored_sets(read_material(run).metrics)]

    assert titles == [
        "Patient level, out of fold",
        "Patient level, test split",
        "Image level, out of fold",
        "Image level, test split",
    ]
    shown = page(run)
    for title in titles:
        assert f'<th scope="row">{title}</th>' in shown
    assert "in 90\u00a0% of cases" in shown.replace("\n    ", " ")


def test_the_curve_says_what_referring_a_part_would_leave(
    make_run: Callable[..., RunFolder],
) -> None:
    """The toy's curve: half decided, a tenth of them wrong; all decided, a fifth."""
    first, _ = abstention_figures(read_material(make_run(test=False)).metrics)

    assert first.title == "Patient level"
    assert "50\u00a0% decided, 10.0\u00a0% wrong" in first.words
    assert "100\u00a0% decided, 20.0\u00a0% wrong" in first.words


def test_repairs_and_trust_have_a_row_a_member(make_run: Callable[..., RunFolder]) -> None:
    shown = page(make_run())

    for name in ("probe-lite0", "tuned-lite0", "scratch-tiny"):
        assert f'<th scope="row">{name}</th><td>7</td><td>2</td>' in shown
        row = shown.partition("When is whom trusted")[2].partition(f">{name}<")[2]
        assert row.partition("</tr>")[0].count("<td") == 3


def test_a_run_scored_by_an_older_raymed_has_a_report_without_them(
    make_run: Callable[..., RunFolder],
) -> None:
    run = make_run()
    metrics = read_json(run.metrics_file)
    for key in ("conformal", "abstention", "diversity"):
        del metrics[key]
    write_json(run.metrics_file, metrics)

    shown = page(run)

    assert 'id="unsure"' not in shown
    assert 'id="together"' not in shown


def test_without_patients_leakage_is_said_beside_the_sets(
    make_run: Callable[..., RunFolder],
) -> None:
    shown = page(make_run(declared=False))

    section = shown.partition('id="unsure"')[2].partition("</section>")[0]
    assert "Leakage was not excluded" in section
    assert "if new\n    images are like these" in section
