"""How sizes and levels of grey are spread, by class, by site and by split."""

from typing import Any

import numpy as np
import pandas as pd

from raymed.data.intake.manifest import Manifest

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
MEASURES = ("width", "height", "mean", "contrast")


def distributions(manifest: Manifest, seen: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the quantiles of each measure in each class, site and split; JSON-ready."""
    names = np.array(manifest.classes, dtype=object)[manifest.labels]
    by = {"class": names, "site": manifest.table["site"].to_numpy(dtype=object)}
    by["split"] = manifest.table["split"].to_numpy(dtype=object)
    order = {name: at for at, name in enumerate(manifest.classes)}
    return [
        {"by": what, "group": str(group), "images": int(own.sum()), **_quantiles(seen[own])}
        for what, groups in by.items()
        for group in sorted(set(groups), key=lambda name: (order.get(name, 0), str(name)))
        if (own := groups == group).any() and group != "" and len(set(groups)) > 1
    ]


def _quantiles(seen: pd.DataFrame) -> dict[str, list[float]]:
    return {
        name: [round(float(each), 3) for each in np.quantile(seen[name], QUANTILES)]
        for name in MEASURES
    }
