"""Hidden groups: samples of one person found from pixels alone, with a threshold of their own."""

from raymed.data.hidden.copies import equal_samples
from raymed.data.hidden.groups import HiddenGroups, find_groups

__all__ = ["HiddenGroups", "equal_samples", "find_groups"]
