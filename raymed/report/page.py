"""The page: from a run folder to one HTML file that needs no other."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from raymed.evaluation import Difference
from raymed.files import write_text
from raymed.report import description, verdict, wording
from raymed.report.diversity import diversity_figures
from raymed.report.intervals import interval_figures
from raymed.report.leak import leak_figure
from raymed.report.material import Material, read_material
from raymed.report.movement import movement_figure
from raymed.report.referral import abstention_figures, scored_sets
from raymed.report.reliability import reliability_figure
from raymed.report.surfaces import surface_figures
from raymed.report.training import training_figure
from raymed.runs import RunFolder

DARKEST = 0.75  # of a confusion cell, so that its text keeps a contrast of 4.5


def write_report(run: RunFolder) -> Path:
    """Write `run.report_file`: one HTML page that opens offline and makes no request.

    Raises InputError where the run folder lacks metrics, audit or experiment.
    """
    write_text(run.report_file, render(read_material(run)))
    return run.report_file


def render(material: Material) -> str:
    """Fill the template with one run's figures and words."""
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
        sets=scored_sets(material.metrics),
        promise=next(iter(material.metrics.get("conformal", {}).values()), None),
        figures=_figures(material),
        plotly_js=Markup(get_plotlyjs()),  # Plotly's own text holds no `</script`
    )


def _figures(material: Material) -> dict[str, Any]:
    chosen = material.chosen
    training = [training_figure(at, curves) for at, curves in enumerate(material.curves)]
    return {
        "intervals": {view: interval_figures(material, view) for view in material.views},
        "reliability": [
            reliability_figure(view, scores)
            for view in material.views
            if (scores := view.scores(chosen)) is not None
        ],
        "training": [figure for figure in training if figure is not None],
        "movement": movement_figure(material.moved),
        "surfaces": surface_figures(material.sharpness),
        "abstention": abstention_figures(material.metrics),
        "diversity": diversity_figures(material.metrics),
        "leak": leak_figure(material.audit["leak"]) if material.audit["leak"] else None,
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
        "number": wording.number,
        "interval": wording.interval,
        "p_value": wording.p_value,
        "percent": wording.percent,
        "duration": wording.duration,
        "mebibytes": wording.mebibytes,
        "metric_title": wording.metric_title,
        "describe_row": description.describe_row,
        "describe_leak": description.describe_leak,
    }
    pages.globals |= {
        "METRICS": wording.METRICS,
        "DARKEST": DARKEST,
        "count": wording.count,
    }
    return pages
