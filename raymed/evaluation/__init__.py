"""Metrics with intervals bootstrapped by patient; knows tables of numbers, not models."""

from raymed.evaluation.abstention import RiskCoverage, risk_coverage
from raymed.evaluation.bootstrap import bootstrap, patient_resamples
from raymed.evaluation.cases import Case, surest_cases
from raymed.evaluation.comparison import Difference, holm, paired_difference
from raymed.evaluation.coverage import SetScores, score_sets
from raymed.evaluation.delong import DeLong, delong
from raymed.evaluation.diversity import Pair, Pattern, Repair, pairs, patterns, repairs
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
    threshold_at_specificity,
)

__all__ = [
    "MIN_PATIENTS_FOR_INTERVAL",
    "Case",
    "ClassScores",
    "DeLong",
    "Difference",
    "Estimate",
    "Pair",
    "PatientLevel",
    "Pattern",
    "Question",
    "ReliabilityBin",
    "Repair",
    "RiskCoverage",
    "Scores",
    "SetScores",
    "ask",
    "bootstrap",
    "choose_threshold",
    "class_prior",
    "cross_fit_thresholds",
    "delong",
    "holm",
    "paired_difference",
    "pairs",
    "patient_resamples",
    "patterns",
    "repairs",
    "risk_coverage",
    "score",
    "score_at_threshold",
    "score_sets",
    "surest_cases",
    "threshold_at_specificity",
    "to_patient_level",
]
