"""The page: from a run folder to one HTML file that needs no other."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from raymed.data.audit.pictures.findings import ODD
from raymed.evaluation import Difference
from raymed.files import write_text
from raymed.report import description, selection, verdict, wording
from raymed.report.checklist import checklists
from raymed.report.curves import curve_figures
from raymed.report.diversity import diversity_figures
from raymed.report.evidential import read_doubts
from raymed.report.external import ExternalEvaluation, read_external
from raymed.report.figures import DARKEST, PageFigure
from raymed.report.hidden import hidden_figure
from raymed.report.intervals import interval_figures
from raymed.report.leak import leak_figure
from raymed.report.material import Material, read_material
from raymed.report.method import methods
from raymed.report.movement import movement_figure
from raymed.report.pictures import association_rows, picture_figures
from raymed.report.referral import abstention_figures, scored_sets
from raymed.report.reliability import reliability_figure
from raymed.report.sites import cost_reading, site_figure, site_title
from raymed.report.study import study_figures
from raymed.report.subgroups import contrast_reading, read_subgroups, subgroup_figure
from raymed.report.surfaces import surface_figures
from raymed.report.tables import write_tables
from raymed.report.training import training_figure
from raymed.runs import RunFolder

UNDRAWN = "To export the figures as SVG, run raymed report RUN"


def write_report(run: RunFolder, *, ids_shown: bool = False) -> Path:
    """Write `run.report_file`: one HTML page that opens offline and makes no request.

    Its tables go into `report/tables`. `publish_report` exports the figures too.
    With `ids_shown` it names samples and patients by their ids instead of codes. Raises InputError
    where the run folder lacks metrics, audit, manifest or experiment.
    """
    material = read_material(run, ids_shown=ids_shown)
    page = render(material, draw_all(material), UNDRAWN, read_external(run))
    return write_page(run, page)


def write_page(run: RunFolder, page: str) -> Path:
    """Write the page, and its tables as files."""
    write_text(run.report_file, page)
    write_tables(page, run.report_folder / "tables")
    return run.report_file


def render(
    material: Material,
    figures: Mapping[str, Any],
    undrawn: str | None,
    external: Sequence[ExternalEvaluation] = (),
) -> str:
    """Fill the template with one run's figures and words.

    `undrawn` says why the figures do not lie beside the page as files, if they do not.
    """
    template = environment().get_template("report.html.j2")
    return template.render(
        material=material,
        metrics=material.metrics,
        audit=material.audit,
        views=material.views,
        chosen=material.chosen,
        verdict=verdict.verdict(material),
        warnings=description.collect_warnings(material),
        leakage=None if material.patients_declared else verdict.LEAKAGE_NOT_EXCLUDED,
        comparisons=_comparisons(material),
        external=external,
        sets=scored_sets(material.metrics),
        doubts=read_doubts(material.metrics),
        subgroups=read_subgroups(material.metrics),
        promise=next(iter(material.metrics.get("conformal", {}).values()), None),
        figures=figures,
        undrawn=undrawn,
        methods=methods(material),
        checklists=checklists(material),
        plotly_js=Markup(get_plotlyjs()),  # Plotly's own text holds no `</script`
    )


def each_figure(drawn: Any) -> Iterator[PageFigure]:
    """Go through what `draw_all` drew, figure by figure."""
    match drawn:
        case PageFigure():
            yield drawn
        case Mapping():
            yield from each_figure(list(drawn.values()))
        case list() | tuple():
            for part in drawn:
                yield from each_figure(part)


def draw_all(material: Material) -> dict[str, Any]:
    """Draw every figure of the page, by the section that shows it."""
    chosen = material.chosen
    training = [training_figure(at, curves) for at, curves in enumerate(material.curves)]
    return {
        "intervals": {view: interval_figures(material, view) for view in material.views},
        "reliability": [
            reliability_figure(view, scores)
            for view in material.views
            if (scores := view.scores(chosen)) is not None
        ],
        "curves": curve_figures(material.metrics),
        "training": [figure for figure in training if figure is not None],
        "movement": movement_figure(material.moved),
        "surfaces": surface_figures(material.sharpness),
        "abstention": abstention_figures(material.metrics),
        "diversity": diversity_figures(material.metrics),
        "sites": site_figure(material.sites),
        "subgroups": subgroup_figure(material),
        "study": study_figures(material.study),
        "hidden": hidden_figure(material.audit["hidden_groups"]),
        "pictures": picture_figures(material.audit["pictures"]),
        "leak": leak_figure(material.audit["leak_sentinel"]),
    }


def _comparisons(material: Material) -> list[dict[str, Any]]:
    """Give each comparison its estimate and a reading of it."""
    compared = []
    for stored in material.metrics["comparisons"]:
        difference = Difference(**stored["difference"])
        reading = verdict.reading(difference)
        compared.append({**stored, "difference": difference, "reading": reading})
    return compared


def environment() -> Environment:
    """Set up what fills the templates of this folder: escaping, filters, words."""
    pages = Environment(
        loader=PackageLoader("raymed.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {
        "bare": wording.bare,
        "number": wording.number,
        "interval": wording.interval,
        "p_value": wording.p_value,
        "with_interval": wording.with_interval,
        "percent": wording.percent,
        "duration": wording.duration,
        "mebibytes": wording.mebibytes,
        "metric_title": wording.metric_title,
        "selection_lines": selection.selection_lines,
        "selection_verdict": selection.selection_verdict,
        "verdict_on_test": selection.verdict_on_test,
        "describe_row": description.describe_row,
        "describe_leak": description.describe_leak,
        "site_title": site_title,
        "cost_reading": cost_reading,
        "contrast_reading": contrast_reading,
        "association_rows": association_rows,
    }
    pages.globals |= {
        "METRICS": wording.METRICS,
        "DARKEST": DARKEST,
        "ODD": ODD,
        "count": wording.count,
    }
    return pages
