"""Metrics with intervals bootstrapped by patient; knows tables of numbers, not models."""

from raymed.evaluation.abstention import RiskCoverage, risk_coverage
from raymed.evaluation.bootstrap import bootstrap, patient_resamples
from raymed.evaluation.cases import Case, surest_cases
from raymed.evaluation.comparison import Difference, holm, paired_difference
from raymed.evaluation.coverage import SetScores, score_sets
from raymed.evaluation.curves import Curve, Curves, OperatingPoint, draw_curves, operating_point
from raymed.evaluation.delong import DeLong, delong
from raymed.evaluation.diversity import Pair, Pattern, Repair, pairs, patterns, repairs
from raymed.evaluation.doubt import DoubtScores, score_doubt
from raymed.evaluation.estimates import MIN_PATIENTS_FOR_INTERVAL, Estimate
from raymed.evaluation.headline import Headline, Terms, score_headline
from raymed.evaluation.levels import PatientLevel, class_prior, to_patient_level
from raymed.evaluation.scores import ClassScores, ReliabilityBin, Scores
from raymed.evaluation.scoring import score
from raymed.evaluation.selection import Losses, Selection, score_choice
from raymed.evaluation.sites import Cost, SiteRow, SiteScores, TwoWays, score_sites
from raymed.evaluation.subgroups import Contrast, GroupScores, score_subgroups
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
    "Contrast",
    "Cost",
    "Curve",
    "Curves",
    "DeLong",
    "Difference",
    "DoubtScores",
    "Estimate",
    "GroupScores",
    "Headline",
    "Losses",
    "OperatingPoint",
    "Pair",
    "PatientLevel",
    "Pattern",
    "Question",
    "ReliabilityBin",
    "Repair",
    "RiskCoverage",
    "Scores",
    "Selection",
    "SetScores",
    "SiteRow",
    "SiteScores",
    "Terms",
    "TwoWays",
    "ask",
    "bootstrap",
    "choose_threshold",
    "class_prior",
    "cross_fit_thresholds",
    "delong",
    "draw_curves",
    "holm",
    "operating_point",
    "paired_difference",
    "pairs",
    "patient_resamples",
    "patterns",
    "repairs",
    "risk_coverage",
    "score",
    "score_at_threshold",
    "score_choice",
    "score_doubt",
    "score_headline",
    "score_sets",
    "score_sites",
    "score_subgroups",
    "surest_cases",
    "threshold_at_specificity",
    "to_patient_level",
]
