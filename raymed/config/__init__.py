"""The configuration: one YAML file, one frozen `Experiment`."""

from raymed.config.augmentation import Augmentation
from raymed.config.cluster import Cluster, check_address
from raymed.config.compare import Compare, Technique, Transformer
from raymed.config.data import (
    AS_FILES_SAY,
    Binary,
    DataConfig,
    Folds,
    Intensity,
    Patients,
    Slices,
    TestShare,
)
from raymed.config.experiment import Ensemble, Evaluate, Experiment
from raymed.config.head import Head
from raymed.config.hybrid import HYBRID, Hybrid
from raymed.config.losses import Center, Evidential, OrdinalSmoothing, Triplet
from raymed.config.mixup import Mixup
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
    Pretrained,
    Recipe,
)
from raymed.config.search import Search, check_search, searched_recipe
from raymed.config.source import is_url
from raymed.config.squeeze_excite import SqueezeExcite
from raymed.config.subgroups import Subgroup
from raymed.config.variants import Choice, LeftOut, Variants, derive_variants
from raymed.config.ways.uses import USES

__all__ = [
    "AS_FILES_SAY",
    "HYBRID",
    "SCHEMA_VERSION",
    "USES",
    "Augmentation",
    "Binary",
    "Center",
    "Choice",
    "Cluster",
    "Compare",
    "DataConfig",
    "Ensemble",
    "Evaluate",
    "Evidential",
    "Experiment",
    "Folds",
    "Head",
    "Hybrid",
    "Intensity",
    "LeftOut",
    "Mixup",
    "Optimizer",
    "OrdinalSmoothing",
    "Patients",
    "Phase",
    "Pretrained",
    "Recipe",
    "Sam",
    "Search",
    "Slices",
    "SqueezeExcite",
    "Subgroup",
    "Technique",
    "TestShare",
    "Transformer",
    "Triplet",
    "Variants",
    "check_address",
    "check_search",
    "derive_variants",
    "is_url",
    "json_schema",
    "parse_experiment",
    "progressive_phases",
    "read_experiment",
    "searched_recipe",
    "write_experiment",
]
