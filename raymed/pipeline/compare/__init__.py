"""`raymed compare`: techniques switched on and off, on the same folds and seeds."""

from raymed.pipeline.compare.story import Compared, compare, compare_events

__all__ = ["Compared", "compare", "compare_events"]
