"""What sharing patients between folds would have flattered, as a small bar figure."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from raymed.report.figures import BLUE, VERMILION, PageFigure, page_figure
from raymed.report.wording import number

SPLITS = (
    ("image_level", "images shuffled", VERMILION, "/"),
    ("patient_grouped", "patients kept together", BLUE, ""),
)
FIGURES = (("accuracy", "Accuracy"), ("macro_f1", "Macro F1"))


def leak_figure(leak: Mapping[str, Any] | None) -> PageFigure | None:
    """Draw a quick classifier's scores with and without patients shared between folds."""
    if leak is None:
        return None
    figure = go.Figure(
        [
            go.Bar(
                x=[title for _, title in FIGURES],
                y=[leak[split][key] for key, _ in FIGURES],
                text=[number(leak[split][key]) for key, _ in FIGURES],
                textposition="outside",
                cliponaxis=False,
                name=label,
                marker={"color": colour, "pattern": {"shape": pattern, "solidity": 0.25}},
                hovertemplate=f"{label}: %{{y:.3f}}<extra></extra>",
            )
            for split, label, colour, pattern in SPLITS
        ]
    )
    figure.update_layout(barmode="group", bargap=0.45, bargroupgap=0.12)
    figure.update_yaxes(range=[0, 1.12], dtick=0.25)
    words = "; ".join(
        f"{label}: accuracy {number(leak[split]['accuracy'])}, "
        f"macro F1 {number(leak[split]['macro_f1'])}"
        for split, label, _, _ in SPLITS
    )
    return page_figure(
        "leak", "The quick classifier, scored both ways", f"Leak check. {words}", figure, height=300
    )
