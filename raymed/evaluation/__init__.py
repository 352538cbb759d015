"""Metrics with intervals bootstrapped by patient; knows tables of numbers, not models."""

from raymed.evaluation.bootstrap import bootstrap, patient_resamples
from raymed.evaluation.comparison import paired_difference
from raymed.evaluation.estimates import MIN_PATIENTS_FOR_INTERVAL, Estimate
from raymed.evaluation.levels import PatientLevel, class_prior, to_patient_level
from raymed.evaluation.scores import ClassScores, ReliabilityBin, Scores
from raymed.evaluation.scoring import score
from raymed.evaluation.thresholds import (
    Question,
    ask,
    choose_threshold,
    cross_fit_thresholds,
    score_at_threshold,
)

__all__ = [
    "MIN_PATIENTS_FOR_INTERVAL",
    "ClassScores",
    "Estimate",
    "PatientLevel",
    "Question",
    "ReliabilityBin",
    "Scores",
    "ask",
    "bootstrap",
    "choose_threshold",
    "class_prior",
    "cross_fit_thresholds",
    "paired_difference",
    "patient_resamples",
    "score",
    "score_at_threshold",
    "to_patient_level",
]
