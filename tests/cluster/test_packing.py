"""How many processes share a card: never more than its safe share holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.cluster.packing import CONTEXT_BYTES, MOST, SAFE_SHARE, processes_a_card

GIB = 1024**3


@pytest.mark.parametrize(
    ("unit", "card", "together"),
    [
        (0.3, 140, 8),  # 8 at most, though 130 would fit
        (10, 80, 4),  # six would fit into 68 GiB: the next power of two below
        (16, 80, 4),
        (17, 80, 2),
        (40, 80, 1),
        (79, 80, 1),
        (3, 16, 2),
        (7, 16, 1),
    ],
)
def test_small_models_share_a_card_and_large_ones_do_not(
    unit: float, card: int, together: int
) -> None:
    assert processes_a_card(int(unit * GIB), card * GIB) == together


@given(unit=st.integers(1, 200 * GIB), card=st.integers(GIB, 200 * GIB), share=st.floats(0.1, 0.95))
def test_those_that_share_a_card_stay_within_its_safe_share(
    unit: int, card: int, share: float
) -> None:
    together = processes_a_card(unit, card, share)

    assert together in (1, 2, 4, 8)
    assert together == 1 or together * (unit + CONTEXT_BYTES) <= share * card
    twice = 2 * together
    assert twice > MOST or twice * (unit + CONTEXT_BYTES) > share * card - 2


def test_a_part_of_every_card_stays_free() -> None:
    assert 0.5 < SAFE_SHARE < 1
