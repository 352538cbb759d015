"""Data: from a folder of scans to a manifest, folds, an audit and memory-mapped pixels.

The names are imported when they are first used: a process that only decodes images loads neither
the audit's libraries nor those of tables.
"""

import importlib
from typing import TYPE_CHECKING, Any

__all__ = [
    "Folds",
    "HiddenGroups",
    "Manifest",
    "assign_folds",
    "decode_images",
    "draw_test_split",
    "find_groups",
    "image_file",
    "list_samples",
    "open_array",
    "read_manifest",
]

_HOMES = {
    "Folds": "raymed.data.folds",
    "HiddenGroups": "raymed.data.audit.hidden",
    "Manifest": "raymed.data.intake.manifest",
    "assign_folds": "raymed.data.folds",
    "decode_images": "raymed.data.decoded.building",
    "draw_test_split": "raymed.data.folds",
    "find_groups": "raymed.data.audit.hidden",
    "image_file": "raymed.data.decoded.entry",
    "list_samples": "raymed.data.intake.manifest",
    "open_array": "raymed.data.arrays",
    "read_manifest": "raymed.data.intake.manifest",
}

if TYPE_CHECKING:
    from raymed.data.arrays import open_array
    from raymed.data.audit.hidden import HiddenGroups, find_groups
    from raymed.data.decoded.building import decode_images
    from raymed.data.decoded.entry import image_file
    from raymed.data.folds import Folds, assign_folds, draw_test_split
    from raymed.data.intake.manifest import Manifest, list_samples, read_manifest


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'raymed.data' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
