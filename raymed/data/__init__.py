"""Data: from a folder of scans to a manifest, folds, an audit and memory-mapped pixels."""

from raymed.data.arrays import open_array
from raymed.data.audit.audit import audit
from raymed.data.audit.hidden import HiddenGroups, find_groups
from raymed.data.decoded.building import decode_images
from raymed.data.decoded.entry import image_file
from raymed.data.folds import Folds, assign_folds, draw_test_split
from raymed.data.intake.manifest import Manifest, list_samples, read_manifest

__all__ = [
    "Folds",
    "HiddenGroups",
    "Manifest",
    "assign_folds",
    "audit",
    "decode_images",
    "draw_test_split",
    "find_groups",
    "image_file",
    "list_samples",
    "open_array",
    "read_manifest",
]
