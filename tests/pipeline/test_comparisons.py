"""What training all layers added to a probe is said for every member that is no probe."""

from raymed.pipeline.build import Built


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
