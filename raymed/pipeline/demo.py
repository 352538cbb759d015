"""`raymed demo`: the whole way on a phantom data set, without data and without a network."""

from pathlib import Path

import yaml

from raymed.config import Experiment, read_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.files import write_text

PATIENTS, SLICES, SIZE = 72, 4, 64

_SETTINGS = {
    "name": "demo",
    "seed": 0,
    "data": {
        "source": "manifest.csv",
        "patients": {"column": "patient"},
        "classes": list(STAGES),
        "ordinal": True,
        "binary": {"positive": list(STAGES[1:])},
        "folds": 3,
    },
    "defaults": {"pretrained": "none", "size": SIZE, "batch_size": 16},
    "recipes": {
        "cnn": {
            "model": "resnet10t",
            "sam": {"part": 0.25, "last": 0.5},
            "phases": [{"train": "all", "epochs": 10, "lr": 2e-3, "warmup": 0.1}],
        },
        "convnext": {
            "model": "test_convnext",
            "phases": [{"train": "all", "epochs": 20, "lr": 2e-3, "warmup": 0.1}],
        },
        "hybrid": {
            "model": "hybrid/test_resnet",
            "hybrid": {"embedding_dim": 128, "heads": 4, "layers": 2},
            "phases": [{"train": "all", "epochs": 20, "lr": 2e-3, "warmup": 0.1}],
        },
    },
}


def write_demo(folder: Path) -> Experiment:
    """Draw the phantoms and their configuration into `folder`; returns the experiment.

    The same call again finds them there. The file `demo.yaml` builds the same with
    `raymed build`.
    """
    write_phantoms(folder, patients=PATIENTS, slices=SLICES, size=SIZE, seed=0)
    file = folder / "demo.yaml"
    write_text(file, yaml.safe_dump(_SETTINGS, sort_keys=False))
    return read_experiment(file)
