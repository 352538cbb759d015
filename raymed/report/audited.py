"""What the audit found, as the page shows it."""

from pathlib import Path
from typing import Any

from raymed.data.shown_ids import ShownIds
from raymed.files import read_json


def read_audit(file: Path, ids: ShownIds) -> dict[str, Any]:
    """Read an audit, also one that an earlier raymed wrote; copies are named as ids are shown."""
    audit: dict[str, Any] = read_json(file)
    known = {"leak_sentinel": audit.get("leak"), "hidden_groups": None, "patients_recovered": False}
    known |= {"pictures": None, "class_by_site": None, "tables": {"site": [], "split": []}}
    copies = audit["duplicates"]
    named = [[ids.sample(each) for each in copy] for copy in copies["examples"]]
    return {**known, **audit, "duplicates": {"near": 0, **copies, "examples": named}}
