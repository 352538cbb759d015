"""The story of `raymed doctor`: look at all that a build rests on, and say what is wrong."""

from raymed.pipeline.doctor.examination import Examination, Visit
from raymed.pipeline.doctor.job import examine_by_job, refuse_unmet
from raymed.pipeline.doctor.visit import examine

__all__ = ["Examination", "Visit", "examine", "examine_by_job", "refuse_unmet"]
