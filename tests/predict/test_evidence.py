"""The table of predictions tells evidential members' belief and doubt, where it can be read."""

import numpy as np

import raymed
from raymed.data.images import load_images
from raymed.data.predictions import opinion_of
from raymed.pipeline.build import Built
from raymed.predict.evidence import Opinion
from raymed.predict.member import predict_member, room_for_logits


def test_an_opinion_is_the_mean_over_models() -> None:
    """alpha (4, 2, 2) and (2, 2, 2): doubt 3/8 and 3/6, belief in the first class 3/8 and 1/6."""
    logits = np.log(np.array([[[4, 2, 2]], [[2, 2, 2]]], dtype=np.float32))

    found = Opinion.of(logits)

    np.testing.assert_allclose(found.uncertainty, [(3 / 8 + 3 / 6) / 2], rtol=1e-6)
    np.testing.assert_allclose(found.belief[:, 0], [(3 / 8 + 1 / 6) / 2], rtol=1e-6)
    np.testing.assert_allclose(found.expected[:, 0], [(4 / 8 + 2 / 6) / 2], rtol=1e-6)


def test_a_patients_opinion_is_the_mean_over_his_images() -> None:
    logits = np.log(np.array([[[3, 1], [1, 1], [1, 3]]], dtype=np.float32))

    found = Opinion.of(logits).averaged(np.array([0, 1, 0]))

    np.testing.assert_allclose(found.uncertainty, [0.5, 1], rtol=1e-6)
    np.testing.assert_allclose(found.belief, [[0.25, 0.25], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(found.expected, [[0.5, 0.5], [0.5, 0.5]], rtol=1e-6)


def test_the_table_tells_what_the_fold_models_of_evidential_members_say(
    built: Built, files: list[str]
) -> None:
    stack = raymed.load_stack(built.run.path, "cpu")
    (doubter,) = (id_ for id_, name in stack.stack.members.items() if name == "doubter")
    logits = room_for_logits(stack.stack, len(files))
    pixels = np.stack(list(load_images(files, 32, 1)))
    for _ in predict_member(built.run.member(doubter), pixels, logits, "cpu"):
        pass
    belief, uncertainty, expected = (part.mean(axis=0) for part in opinion_of(logits))

    table = stack.predict(files)

    np.testing.assert_allclose(table["evidential_uncertainty"], uncertainty, rtol=1e-5)
    np.testing.assert_allclose(table.filter(like="evidential_belief_"), belief, atol=1e-6)
    np.testing.assert_allclose(table.filter(like="evidential_probability_"), expected, rtol=1e-5)
    assert 0 < uncertainty.min() < uncertainty.max() < 1


def test_belief_and_doubt_add_up_to_one_and_a_patients_are_means(
    built: Built, files: list[str]
) -> None:
    patients = ["P", "Q"] * 3

    table = raymed.load_stack(built.run.path, "cpu").predict(files, patients)

    parts = table.filter(like="evidential_belief_").sum(axis=1) + table["evidential_uncertainty"]
    np.testing.assert_allclose(parts, 1)
    np.testing.assert_allclose(table.filter(like="evidential_probability_").sum(axis=1), 1)
    own = table.filter(like="evidential_")
    people = table["level"] == "patient"
    means = own[~people].groupby(table["patient"]).mean()
    np.testing.assert_allclose(means, own[people], rtol=1e-12)


def test_views_leave_no_evidence_to_read(built: Built, files: list[str]) -> None:
    table = raymed.load_stack(built.run.path, "cpu").predict(files, tta=2)

    assert (table["views"] == 2).all()
    assert [name for name in table if str(name).startswith("evidential")] == []
