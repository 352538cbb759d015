"""Run folders: where each artifact lies, whether it is complete, who works on it."""

from raymed.runs.artifacts import COMPARISON, LEFT_OUT_SITES
from raymed.runs.member_folder import FOLD_FILES, MemberFolder, now
from raymed.runs.run_folder import COPIES, RunFolder

__all__ = [
    "COMPARISON",
    "COPIES",
    "FOLD_FILES",
    "LEFT_OUT_SITES",
    "MemberFolder",
    "RunFolder",
    "now",
]
