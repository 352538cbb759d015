"""The audit's part about pictures: what is odd, what is burnt in, what tells the class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from raymed.data.appearance.measuring import Appearance
from raymed.data.audit.pictures.association import chance_of_table, cramers_v
from raymed.data.audit.pictures.distributions import QUANTILES, distributions
from raymed.data.audit.pictures.oddities import find_oddities
from raymed.data.audit.pictures.origin import associations, facts_of_people, told_by_origin
from raymed.data.audit.pictures.places import Place, constant_places
from raymed.data.intake.manifest import Manifest

_EXAMPLES = 8


def appearances(seen: Sequence[Appearance]) -> pd.DataFrame:
    """Put what was seen of pictures into a table, a row each, in their order."""
    return pd.DataFrame([vars(each) for each in seen])


def judge_pictures(
    manifest: Manifest, seen: pd.DataFrame, people: npt.NDArray[np.object_]
) -> dict[str, Any]:
    """Judge the pictures of a manifest; JSON-ready.

    `seen` has a row for each sample (see `appearances`), `people` says whose it is [samples]. What
    goes along with a class is told of the folds alone: the test split takes no part.
    """
    ids = manifest.table["sample_id"].to_numpy(dtype=object)
    places = constant_places(seen["marks"].tolist(), people)
    marked = np.zeros(len(seen), dtype=bool)
    for place in places:
        marked[place.rows] = True
    ours = ~manifest.is_test
    rows = facts_of_people(seen[ours], marked[ours], manifest.labels[ours], people[ours])
    told = told_by_origin(rows)
    if told is not None:
        told["class"] = manifest.classes[told["class"]]
    return {
        "odd": {
            way: {"images": len(found), "examples": ids[_some(found)].tolist()}
            for way, found in find_oddities(seen).items()
        },
        "marks": _marks(places, marked, ids, seen),
        "quantiles": list(QUANTILES),
        "distributions": distributions(manifest, seen),
        "associations": associations(rows),
        "told_by_origin": told,
    }


def judge_sites(manifest: Manifest, people: npt.NDArray[np.object_]) -> dict[str, Any] | None:
    """Tell how closely class and site go together, outside the test split; None without sites."""
    table = manifest.table.assign(who=people)
    table = table[~manifest.is_test & (manifest.table["site"] != "").to_numpy()]
    counts = table.drop_duplicates(["who", "label", "site"])
    crossed = pd.crosstab(counts["site"], counts["label"]).to_numpy(dtype=np.int64)
    if not crossed.size or len(crossed) < 2:
        return None
    return {"cramers_v": cramers_v(crossed), "p": chance_of_table(crossed)}


def _some(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return rows[:_EXAMPLES]


def _marks(
    places: Sequence[Place],
    marked: npt.NDArray[np.bool_],
    ids: npt.NDArray[np.object_],
    seen: pd.DataFrame,
) -> dict[str, Any]:
    """Tell the places of marks; the examples are of the first, with their widths and heights."""
    shown = _some(places[0].rows) if places else np.zeros(0, dtype=np.int64)
    return {
        "images": int(marked.sum()),
        "people": max((place.people for place in places), default=0),
        "places": [
            {
                "box": [round(side, 4) for side in place.box],
                "images": len(place.rows),
                "people": place.people,
            }
            for place in places[:_EXAMPLES]
        ],
        "examples": ids[shown].tolist(),
        "sizes": seen[["width", "height"]].to_numpy()[shown].tolist(),
    }
