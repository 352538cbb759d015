"""`raymed tune`: a study of a recipe, whose finished trials are members."""

from raymed.pipeline.tune.from_study import with_trials
from raymed.pipeline.tune.story import Tuned, tune, tune_events

__all__ = ["Tuned", "tune", "tune_events", "with_trials"]
