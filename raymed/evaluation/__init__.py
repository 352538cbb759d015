"""Metrics with intervals bootstrapped by patient; knows tables of numbers, not models."""

from raymed.evaluation.bootstrap import bootstrap, patient_resamples
from raymed.evaluation.comparison import paired_difference
from raymed.evaluation.estimates import MIN_PATIENTS_FOR_INTERVAL, Estimate
from raymed.evaluation.levels import PatientLevel, class_prior, to_patient_level
from raymed.evaluation.scores import ClassScores, ReliabilityBin, Scores
from raymed.evaluation.scoring import score

__all__ = [
    "MIN_PATIENTS_FOR_INTERVAL",
    "ClassScores",
    "Estimate",
    "PatientLevel",
    "ReliabilityBin",
    "Scores",
    "bootstrap",
    "class_prior",
    "paired_difference",
    "patient_resamples",
    "score",
    "to_patient_level",
]
