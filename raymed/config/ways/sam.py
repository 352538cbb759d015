"""Sharpness-aware minimization, off and on."""

from raymed.config.experiment import Experiment
from raymed.config.optimizer import Sam
from raymed.config.recipe import Recipe
from raymed.config.ways.contract import Way, alike, changed_way

_OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD"}
_SAMS = {"sam": "SAM", "asam": "ASAM", "looksam": "LookSAM", "msam": "MSAM"}
_RECOMMENDED = Sam(part=0.25, last=0.5)


def with_and_without_sam(base: Recipe, experiment: Experiment) -> list[Way]:
    """Take SAM away, and give it: the recipe's own, the experiment's, or the recommended one."""
    own = (other.sam for other in alike(base, experiment, {"sam"}))
    sam = base.sam or next((each for each in own if each is not None), _RECOMMENDED)
    plain = _OPTIMIZERS[base.optimizer.name]
    return [
        changed_way(plain, "without SAM", base, {"sam": None}),
        changed_way(_SAMS[sam.variant], "with SAM", base, {"sam": sam}, plain),
    ]
