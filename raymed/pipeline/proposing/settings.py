"""The part `data` of a proposed configuration: as content, and as entries with reasons."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymed.data.audit.hidden.groups import LEAST
from raymed.data.proposal import ClassOrder, Proposal
from raymed.pipeline.proposing.entries import Entry, Explained

_PATHS = ("source", "root")
_HIGHEST = 2
"""Paths relative to the configuration climb so many folders at most; farther ones are absolute."""

_BORNE = {
    "patients-not-declared": "Whose the images are is not known: leakage between folds is not "
    "excluded, and every figure says so."
}
_UNKNOWN = """\
Nothing tells whose the images are, and {pixels}. So each image counts as a person of its own, and \
if people do stand in several images, all figures are too hopeful. Say where patients are, if you \
can: {{column: NAME}}, {{file: TABLE, column: NAME}} or {{pattern: REGULAR_EXPRESSION}}."""
_KNOWN_AND_BORNE = """\
WARNING: nothing tells whose the images are, and pixels say that {several} Their images lie in \
different folds: all figures are too hopeful."""
_RECOVERED = """\
WARNING: nothing tells whose the images are, but their pixels do: {several} These groups are taken \
for patients, so that nobody is in two folds.{leak} Prefer true ids where there are any: \
{{column: NAME}}, {{file: TABLE, column: NAME}} or {{pattern: REGULAR_EXPRESSION}}."""


@dataclass(frozen=True)
class Wishes:
    """What the user, or nobody, said to a proposal; `patients` is None where nobody knows them."""

    name: str
    order: ClassOrder
    patients: Mapping[str, str] | None


def data_content(proposal: Proposal, wishes: Wishes, source: Path | str) -> dict[str, Any]:
    """Give `data` with absolute paths, patients `none` where nobody knows them."""
    order = wishes.order
    content: dict[str, Any] = {"source": str(source)}
    content |= {
        key: str(value) if key in _PATHS else value for key, value in proposal.settings.items()
    }
    known = wishes.patients
    content["patients"] = "none" if known is None else dict(known)
    content["classes"] = list(order.classes)
    if len(order.classes) > 2:
        content["ordinal"] = order.ordinal
    if order.well is not None:
        ill = [name for name in order.classes if name != order.well]
        content["binary"] = {"positive": ill}
    return content


def data_entries(
    proposal: Proposal,
    wishes: Wishes,
    content: Mapping[str, Any],
    audit: Mapping[str, Any],
) -> list[Entry]:
    """Give `data` as entries: each with its reason, serious findings of the audit acknowledged."""
    order = wishes.order
    why = {
        "source": _upper(proposal.kind),
        "classes": _upper(order.why),
        "ordinal": ""
        if order.ordinal
        else "true, if they are stages in this order: adds the weighted kappa.",
        "binary": f"The question that sets {order.well} against the others.",
        "slices": "The middle half of each volume; without this every axial slice is a sample.",
        "on_error": "Images that cannot be used are left out; stop would refuse to build.",
        "folds": "No test split is set aside: test: {share: 0.2} would."
        if not any(each["test_samples"] for each in audit["classes"])
        else "The source has a test split of its own.",
        **proposal.why,
        "patients": _about_patients(content["patients"], proposal, wishes, audit),
    }
    entries = [Entry(key, value, why.get(key, "")) for key, value in content.items()]
    serious = {
        each["name"]: _BORNE.get(each["name"], f"{each['what']} {each['remedy']}")
        for each in audit["findings"]
        if each["severity"] == "serious"
    }
    if serious:
        told = "Serious findings of the audit; naming them here lets a build go on."
        entries.append(Entry("acknowledge", Explained(serious), told))
    return entries


def several_images(audit: Mapping[str, Any]) -> str:
    """Say how many people stand behind how many images, as the audit found them."""
    hidden = audit["hidden_groups"]
    images = f"{hidden['images']} of" if hidden["images"] < audit["samples"] else "all"
    return (
        f"{hidden['people']} people stand behind {images} the {audit['samples']} images (mean "
        f"confidence {hidden['confidence']:.3f})."
    )


def relocated(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Write paths as a configuration at `file` needs them; URIs stay."""
    return {
        key: _from(file, value) if key in _PATHS and "://" not in value else value
        for key, value in content.items()
    }


def _from(file: Path, path: str) -> str:
    relative = os.path.relpath(path, file.resolve().parent)
    climbs = Path(relative).parts.count("..")
    return path if climbs > _HIGHEST else relative


def _about_patients(
    setting: object, proposal: Proposal, wishes: Wishes, audit: Mapping[str, Any]
) -> str:
    if setting == "recovered":
        leak = audit["leak_sentinel"]
        told = ""
        if leak is not None:
            torn, whole = leak[leak["torn"]]["accuracy"], leak["patient_grouped"]["accuracy"]
            told = (
                f" A nearest neighbour's accuracy is {torn:.3f} with people torn apart, "
                f"{whole:.3f} with people kept whole."
            )
        return _RECOVERED.format(several=several_images(audit), leak=told)
    if setting == "none":
        if audit["hidden_groups"]["people"]:
            return _KNOWN_AND_BORNE.format(several=several_images(audit))
        enough = audit["samples"] >= LEAST
        few = f"fewer than {LEAST} are too few for their pixels to tell"
        return _UNKNOWN.format(pixels="their pixels show nobody twice" if enough else few)
    guess = proposal.patients
    told_by_source = guess is not None and guess.setting == wishes.patients
    return _upper(guess.why) if guess is not None and told_by_source else "As you said."


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
