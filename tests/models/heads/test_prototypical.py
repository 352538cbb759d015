"""Prototypical networks: means and distances, worked out by hand."""

import torch

from raymed.models.heads import PrototypicalHead


def head(shots: int = 2) -> PrototypicalHead:
    """One whose embedding is the features themselves, in two dimensions."""
    made = PrototypicalHead(2, 3, shots, embedding_dim=2)
    torch.nn.init.eye_(made.embedding.weight)
    return made


FEATURES = torch.tensor([[0.0, 0], [2, 0], [4, 4], [4, 6], [1, 1], [4, 5]])
LABELS = torch.tensor([0, 0, 1, 1, 0, 1])


def test_an_episode_compares_queries_with_the_means_of_the_support() -> None:
    logits, labels = head().learn(FEATURES, LABELS)

    assert labels.tolist() == [0, 1]
    assert torch.allclose(logits[:, :2], -torch.tensor([[1.0, 9 + 16], [9 + 25, 0]]))


def test_a_class_without_support_is_never_chosen() -> None:
    logits, _ = head().learn(FEATURES, LABELS)

    assert (logits[:, 2] < -1000).all()


def test_in_use_the_distance_is_to_the_mean_of_all_that_was_learned() -> None:
    made = head()
    made.fit(FEATURES, LABELS)

    assert torch.allclose(made.prototypes[:2], torch.tensor([[1.0, 1 / 3], [4, 5]]))
    expected = -(FEATURES[:, None] - made.prototypes[None]).square().sum(2)
    assert torch.allclose(made(FEATURES), expected)


def test_prototypes_are_part_of_the_state() -> None:
    assert "prototypes" in head().state_dict()
