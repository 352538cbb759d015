"""Recipes and spaces for property tests, written as YAML has them."""

from typing import Any

import optuna
from hypothesis import strategies as st

from raymed.config import Recipe
from raymed.config.space import Space

PHASES = [
    {"train": "head", "epochs": 2, "lr": 1e-3},
    {"epochs": 3, "lr": 2e-4, "ratio": 0.05},
    {"epochs": 2, "lr": 1e-5},
]
SAMS = [
    None,
    {},
    {"rho": 0.005, "part": 0.25, "last": 0.5},
    {"variant": "asam"},
    {"variant": "looksam", "every": 3},
    {"variant": "msam", "rho": 0.5},
]
RATE = {"low": 1e-5, "high": 1e-2, "log": True}

recipes = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["resnet18", "vit_tiny_patch16_224", "hybrid/resnet18"]),
        "pretrained": st.sampled_from(["hub", "none", {"file": "/w.pth"}]),
        "phases": st.sampled_from([PHASES, PHASES[1:], PHASES[1:2]]),
        "sam": st.sampled_from(SAMS),
        "dropout": st.sampled_from([0.0, 0.2]),
    },
    optional={
        "freeze_batchnorm": st.booleans(),
        "optimizer": st.sampled_from([{"name": "sgd", "clip": None}, {"weight_decay": 0.1}]),
        "augmentation": st.sampled_from(["none", "histology", {"rotate": 20}]),
    },
).map(Recipe.model_validate)

trees: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "size": st.sampled_from([96, {"low": 64, "high": 224, "step": 32}]),
        "batch_size": st.sampled_from([{"choices": [16, 32]}, {"low": 8, "high": 64, "log": True}]),
        "dropout": st.sampled_from(
            [
                {"low": 0, "high": 0.5},
                {"low": 0, "high": 0.5, "step": 0.1},
                {"choices": [0, {"low": 0.1, "high": 0.5}]},
            ]
        ),
        "sam": st.sampled_from(
            [
                {"choices": ["none", {"variant": "sam", "every": 1, "rho": RATE}]},
                {
                    "choices": [
                        "none",
                        {"variant": "asam", "every": 1, "rho": {"low": 0.1, "high": 4}},
                        {
                            "variant": "looksam",
                            "part": 1,
                            "rho": RATE,
                            "every": {"choices": [2, 5]},
                        },
                    ]
                },
                {"rho": RATE},
            ]
        ),
        "pretrained": st.just({"choices": ["hub", "none", {"file": "/w.pth"}]}),
        "phases": st.sampled_from(
            [
                {0: {"lr": RATE, "epochs": {"low": 1, "high": 4}}},
                [{"schedule": {"choices": ["cosine", "one_cycle"]}, "lr": RATE}],
                {"choices": [{}, [{"epochs": 5, "lr": RATE}]]},
            ]
        ),
        "optimizer": st.just({"weight_decay": RATE, "clip": {"choices": [None, 1.0, 5]}}),
        "augmentation": st.sampled_from(
            [
                {"choices": ["none", {}, {"rotate": {"low": 0, "high": 30}}]},
                {"choices": ["none", "mri", {"preset": "ct", "strength": {"low": 0, "high": 2}}]},
            ]
        ),
        "class_weights": st.just({"choices": ["none", "balanced"]}),
    },
).filter(lambda tree: any(isinstance(value, dict | list) for value in tree.values()))


def asked(space: Space, seed: int, count: int = 1) -> list[optuna.Trial]:
    """Give trials of a new study that samples at random."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [study.ask() for _ in range(count)]
