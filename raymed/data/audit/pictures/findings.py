"""What the audit objects to in pictures, and in what goes along with a class."""

from collections.abc import Iterator, Mapping
from typing import Any

from raymed.data.audit.findings import Finding

_P = 0.01
_SITE_SERIOUS, _SITE = 0.5, 0.2  # Cramér's V
_ORIGIN_SERIOUS, _ORIGIN = 0.5, 0.15  # skill
_BARS = 0.25  # share of variance

_ODD = {
    "constant": (
        "constant-images",
        "Nothing can be seen in them",
        "Remove them, or look why they were saved so.",
    ),
    "empty": (
        "empty-images",
        "Under 2 % of each is filled, and under a tenth of what is usual here",
        "Leave out slices and frames that show nobody.",
    ),
    "clipped": (
        "clipped-images",
        "Far more than is usual here, background aside: what was brighter or darker is lost",
        "Save them again with a wider window, or look at data.intensity.",
    ),
    "odd_size": (
        "odd-sizes",
        "Such are often thumbnails, screenshots or uncut films",
        "Look at the examples.",
    ),
    "in_colour": (
        "mixed-colour",
        "They may come from elsewhere",
        "Convert all to grey if colour means nothing.",
    ),
    "in_grey": (
        "mixed-colour",
        "They may come from elsewhere",
        "Convert all to grey if colour means nothing.",
    ),
}
ODD = {
    "constant": "of one level of grey",
    "empty": "nearly empty",
    "clipped": "clipped at an end of the range",
    "odd_size": "of a size or shape far from the rest",
    "in_colour": "in colour, the others grey",
    "in_grey": "grey, the others in colour",
    "marks": "with marks burnt in at constant places",
}
"""How an image is odd, in words, by the keys of the audit's `pictures`."""
ABOUT_PICTURES = (*dict.fromkeys(name for name, _, _ in _ODD.values()), "burnt-in-marks")
FACTS = {
    "area": "the size of pictures",
    "aspect": "their shape",
    "kind": "the kind of file",
    "colour": "colour",
    "bars_across": "bars above and below",
    "bars_beside": "bars at the sides",
    "marked": "burnt-in marks",
    "mean": "the mean level of grey",
    "contrast": "contrast",
}


def picture_faults(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Judge what `judge_pictures` and `judge_sites` told; JSON-ready."""
    found = [*_about_site(facts["class_by_site"]), *_about_pictures(facts["pictures"])]
    return [each._asdict() for each in found]


def _about_site(found: Mapping[str, Any] | None) -> Iterator[Finding]:
    if found is None or found["p"] > _P or found["cramers_v"] < _SITE:
        return
    serious = found["cramers_v"] >= _SITE_SERIOUS
    yield Finding(
        "serious" if serious else "warning",
        "class-follows-site",
        f"Classes differ between sites (Cramér's V {found['cramers_v']:.2f}, p "
        f"{_p(found['p'])}): a model that knows the scanner already knows much of the class.",
        "Look at the table of classes by site; score with evaluate: {sites: leave-one-out}.",
    )


def _about_pictures(pictures: Mapping[str, Any] | None) -> Iterator[Finding]:
    if pictures is None:
        return
    for way, (name, what, remedy) in _ODD.items():
        odd = pictures["odd"][way]
        if odd["images"]:
            told = f"{_images(odd['images'])} {ODD[way]}. {what}."
            yield Finding("warning", name, told, remedy)
    marks = pictures["marks"]
    if marks["images"]:
        yield Finding(
            "warning",
            "burnt-in-marks",
            f"{_images(marks['images'])} with a small mark of high contrast where others have one "
            "too: letters or ticks burnt in.",
            "Look at the examples; cover or crop such places in all images alike.",
        )
    yield from _about_origin(pictures["told_by_origin"], pictures["associations"])


def _about_origin(
    told: Mapping[str, Any] | None, associations: list[dict[str, Any]]
) -> Iterator[Finding]:
    telling = [each for each in associations if each["origin"] and each["p_adjusted"] <= _P]
    if told is not None and told["p"] <= _P and told["skill"] >= _ORIGIN:
        serious = told["skill"] >= _ORIGIN_SERIOUS
        names = ", ".join(FACTS[each["fact"]] for each in telling) or "size, kind, bars and marks"
        yield Finding(
            "serious" if serious else "warning",
            "class-told-by-origin",
            "The class can be told from what has nothing to do with the disease: from "
            f"{names} alone a small tree tells {told['class']} from the rest with a recall of "
            f"{told['recall']:.2f} and {told['false_alarms']:.0%} false alarms on people left out "
            f"(balanced accuracy of all classes {told['balanced_accuracy']:.2f}, with shuffled "
            f"labels {told['shuffled_labels']['mean']:.2f}).",
            "Bring all classes from the same sources in the same form, or crop and convert them "
            "alike.",
        )
    bars = [each for each in telling if each["fact"].startswith("bars")]
    if bars and bars[0]["effect"] >= _BARS:
        yield Finding(
            "warning",
            "bars-by-class",
            "Constant bars or frames around pictures differ between classes: "
            f"{FACTS[bars[0]['fact']]}, eta squared {bars[0]['effect']:.2f}.",
            "Crop them in all classes alike.",
        )


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
