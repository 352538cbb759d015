"""Hidden groups: samples of one person found from pixels alone, with a threshold of their own."""

from raymed.data.audit.hidden.copies import equal_samples
from raymed.data.audit.hidden.groups import HiddenGroups, find_groups

__all__ = ["HiddenGroups", "equal_samples", "find_groups"]
