"""The configuration: one YAML file, one frozen `Experiment`."""

from raymed.config.data import Binary, DataConfig, Folds, Patients, TestShare
from raymed.config.experiment import Cluster, Ensemble, Evaluate, Experiment
from raymed.config.hybrid import HYBRID, Hybrid
from raymed.config.optimizer import Optimizer, Sam
from raymed.config.phases import Phase, progressive_phases
from raymed.config.reading import (
    json_schema,
    parse_experiment,
    read_experiment,
    write_experiment,
)
from raymed.config.recipe import (
    SCHEMA_VERSION,
    Augmentation,
    Pretrained,
    Recipe,
)
from raymed.config.subgroups import Subgroup

__all__ = [
    "HYBRID",
    "SCHEMA_VERSION",
    "Augmentation",
    "Binary",
    "Cluster",
    "DataConfig",
    "Ensemble",
    "Evaluate",
    "Experiment",
    "Folds",
    "Hybrid",
    "Optimizer",
    "Patients",
    "Phase",
    "Pretrained",
    "Recipe",
    "Sam",
    "Subgroup",
    "TestShare",
    "json_schema",
    "parse_experiment",
    "progressive_phases",
    "read_experiment",
    "write_experiment",
]
