"""`raymed evaluate`: the stack of a run, as it was fitted, on an external test set."""

from raymed.pipeline.evaluate.story import Evaluated, evaluate, evaluate_events

__all__ = ["Evaluated", "evaluate", "evaluate_events"]
