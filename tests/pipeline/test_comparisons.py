"""What fine-tuning, SAM and a hybrid's Transformer added is said for every member that has one."""

from pathlib import Path
from typing import Any

from raymed.config import Recipe
from raymed.pipeline.build import Built
from raymed.pipeline.comparisons import pairs_of
from raymed.pipeline.members import Member
from raymed.runs import RunFolder


def test_trained_members_meet_a_probe_and_the_stack_its_best_member(built: Built) -> None:
    comparisons = built.metrics["comparisons"]
    losses = {
        row["name"]: row["oof"]["patient"]["metrics"]["log_loss"]["value"]
        for row in built.metrics["rows"]
    }

    first, last = comparisons
    assert first["title"] == "trained from scratch 'cnn' against probe 'probe'"
    assert abs(first["difference"]["value"] - (losses["cnn"] - losses["probe"])) < 1e-9
    best = min(("cnn", "probe"), key=losses.__getitem__)
    assert last["title"].endswith(f"against its best member '{best}'")
    stack = losses[built.metrics["chosen"]]
    assert abs(last["difference"]["value"] - (stack - losses[best])) < 1e-9


def test_sam_meets_the_same_recipe_without_it_and_a_hybrid_its_cnn(tmp_path: Path) -> None:
    tuned = {"model": "resnet18", "pretrained": "none", "size": 32}
    recipes: dict[str, dict[str, Any]] = {
        "plain": tuned,
        "sam": {**tuned, "sam": {"rho": 0.1}},
        "other sam": {**tuned, "sam": {}, "dropout": 0.1},  # two things differ
        "hybrid": {**tuned, "model": "hybrid/resnet18"},
        "probe": {**tuned, "phases": [{"train": "head", "epochs": 1, "lr": 1e-3}]},
        "elsewhere": {**tuned, "model": "hybrid/resnet34"},  # its CNN is not there
    }
    run = RunFolder(tmp_path)
    members = [Member(n, Recipe.model_validate(r), run.member(n)) for n, r in recipes.items()]
    losses = dict(zip(recipes, [0.5, 0.4, 0.6, 0.7, 0.1, 0.8], strict=True))

    found = {(pair.ours, pair.rival): pair.meaning for pair in pairs_of(members, losses)}

    assert found.pop(("sam", "plain")) == "negative: SAM helped"
    assert found.pop(("hybrid", "sam")) == "negative: the Transformer helped"  # the best of its CNN
    trained = [name for name in recipes if name != "probe"]
    assert found == {(name, "probe"): "negative: training all layers helped" for name in trained}
