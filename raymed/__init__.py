"""raymed: labelled medical images to a trustworthy stacked ensemble.

The public names are imported when they are first used: `import raymed` loads neither torch nor
Ray.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Built",
    "EnsembleMetaClassifier",
    "Evaluated",
    "Experiment",
    "InputError",
    "RaymedError",
    "StackPredictor",
    "build",
    "evaluate",
    "load_stack",
    "read_experiment",
    "write_report",
]

_HOMES = {
    "Built": "raymed.pipeline.build",
    "EnsembleMetaClassifier": "raymed.predict",
    "Evaluated": "raymed.pipeline.evaluate",
    "Experiment": "raymed.config",
    "InputError": "raymed.errors",
    "RaymedError": "raymed.errors",
    "StackPredictor": "raymed.predict",
    "build": "raymed.pipeline.build",
    "evaluate": "raymed.pipeline.evaluate",
    "load_stack": "raymed.predict",
    "read_experiment": "raymed.config",
    "write_report": "raymed.report",
}

if TYPE_CHECKING:
    from raymed.config import Experiment, read_experiment
    from raymed.errors import InputError, RaymedError
    from raymed.pipeline.build import Built, build
    from raymed.pipeline.evaluate import Evaluated, evaluate
    from raymed.predict import EnsembleMetaClassifier, StackPredictor, load_stack
    from raymed.report import write_report


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'raymed' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted([*globals(), *__all__])
