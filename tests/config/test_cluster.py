"""Where units run: which addresses of a running Ray are taken."""

import pytest
from pydantic import ValidationError

from raymed.config import Cluster


@pytest.mark.parametrize("address", [None, "auto", "10.0.0.1:6379", "head:6379", "[::1]:6379"])
def test_addresses_of_a_running_ray_are_taken(address: str | None) -> None:
    assert Cluster(address=address).address == address


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ray://10.0.0.1:10001", "run raymed on a node of that Ray"),
        ("head", "write auto or HOST:PORT"),
        ("head:ssh", "write auto or HOST:PORT"),
        ("head:0", "write auto or HOST:PORT"),
        ("local", "write auto or HOST:PORT"),
    ],
)
def test_other_addresses_are_refused_with_a_remedy(address: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Cluster(address=address)


def test_a_wait_for_nodes_says_for_how_many_processes() -> None:
    assert Cluster(wait_minutes=5, workers=8).workers == 8
    with pytest.raises(ValidationError, match="say in workers for how many at once"):
        Cluster(wait_minutes=5)
