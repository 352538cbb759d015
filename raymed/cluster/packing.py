"""How many processes share a card, by what one was measured to take of its memory."""

SAFE_SHARE = 0.85
"""The share of a card's memory that processes are planned to take together."""
CONTEXT_BYTES = 600 * 1024**2
"""What CUDA itself takes of a card for each process, beside what torch holds there; about."""
MOST = 8
"""Processes on one card at most: beyond it nothing is gained that was measured."""


def processes_a_card(unit_bytes: int, card_bytes: int, safe_share: float = SAFE_SHARE) -> int:
    """Count the processes that may share a card: 1, 2, 4 or 8.

    `unit_bytes` is the most that torch has held on the card for one process. Powers of two, so
    that recipes of about one size need no sharing of their own. A process that alone takes more
    than the safe share has the card for itself.
    """
    fits = int(card_bytes * safe_share // (unit_bytes + CONTEXT_BYTES))
    count = 1
    while 2 * count <= min(fits, MOST):
        count *= 2
    return count
