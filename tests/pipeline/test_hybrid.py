"""A hybrid as a member: built, complete, and predicting what its out-of-fold rows say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import raymed

HYBRID = (
    "recipes={hybrid: {model: hybrid/test_resnet, hybrid: {embedding_dim: 16, heads: 2, layers: 1},"
    " phases: [{train: head, epochs: 1, lr: 1e-3}, {epochs: 1, lr: 1e-3, ratio: 0.1}]}}"
)


@pytest.mark.slow
def test_a_hybrid_is_built_and_predicts_the_test_split_as_the_build_did(
    make: Callable[..., Any], phantoms: Path, tmp_path: Path
) -> None:
    built = raymed.build(make(HYBRID, "ensemble.meta_learners=[mean]"), tmp_path / "run")

    assert built.failed == {}
    manifest = pd.read_parquet(built.run.manifest_file)
    test = manifest[manifest["split"] == "test"]
    (member,) = (built.run.path / "members").iterdir()
    rows = pd.read_parquet(member / "test.parquet")
    images = [str(phantoms / "phantom" / name) for name in test["image"]]
    table = raymed.load_stack(built.run.path).predict(images)
    assert len(rows) == 2 * len(test) == 2 * len(table)
    said = table.filter(like="probability_").to_numpy()
    temperature = next(
        row["temperatures"]["image"]
        for row in built.metrics["rows"]
        if row["kind"] == "meta-learner"
    )
    logits = np.stack(rows["logits"].to_list()).reshape(2, len(test), -1)
    raised = np.exp(logits)
    mean = (raised / raised.sum(axis=2, keepdims=True)).mean(axis=0) ** (1 / temperature)
    np.testing.assert_allclose(said, mean / mean.sum(axis=1, keepdims=True), atol=1e-4)
