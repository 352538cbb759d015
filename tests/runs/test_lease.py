"""The lease of a run folder in a store: one holder, whatever answers are lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from raymed.errors import EngineError, InputError
from raymed.runs.conditional import Conditional
from raymed.runs.lease import LEASE, Lease, lease_of, take_lease
from raymed.stories import result_of
from tests.stores import LOSE_ANSWER, Headers, Proxy


def taken(objects: Conditional, who: str, own: str | None = None, seconds: float = 1.5) -> Lease:
    return result_of(take_lease(objects, who, f"process of {who}", own, seconds))


def test_of_many_who_race_exactly_one_takes_it(objects: Conditional) -> None:
    def first_answer(number: int) -> str | None:
        taking = take_lease(objects, f"driver-{number}", "someone", None, 60)
        try:
            next(taking)  # it waits: another has it
        except StopIteration as end:
            return str(end.value.attempt)
        return None

    with ThreadPoolExecutor(12) as pool:
        won = [name for name in pool.map(first_answer, range(12)) if name is not None]

    assert len(won) == 1
    found = objects.read(LEASE)
    assert found is not None
    assert found.content["attempt"] == won[0]


def test_a_holder_at_work_keeps_others_out_and_is_named(objects: Conditional) -> None:
    lease = taken(objects, "first")
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.3):
            lease.renew()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(InputError, match=r"another build works on this folder.*of first"):
            taken(objects, "second")
    finally:
        ended.set()
        thread.join()
    assert not lease.lost


def test_a_lease_that_stood_still_is_taken_and_its_holder_learns_it(objects: Conditional) -> None:
    dead = taken(objects, "dead")
    waits: list[tuple[str, float, float]] = []
    taking = take_lease(objects, "next", "process of next", None, 1.5)
    begun = time.monotonic()
    lease = result_of(taking, waits.append)

    assert time.monotonic() - begun >= 1.5
    assert waits[0][0] == "process of dead"
    assert lease.before == "dead"
    assert not dead.fresh
    assert not dead.renew()
    assert dead.lost
    assert lease.renew()


def test_a_lease_given_back_and_that_of_a_dead_predecessor_here_are_taken_at_once(
    objects: Conditional,
) -> None:
    taken(objects, "first", seconds=60).release()
    begun = time.monotonic()

    second = taken(objects, "second", seconds=60)
    third = taken(objects, "third", own="second", seconds=60)

    assert time.monotonic() - begun < 5
    assert second.before == "first"
    assert third.before == "second"
    assert not second.renew()


def test_a_renewal_whose_answer_is_lost_is_no_loss_of_the_lease(
    objects: Conditional, proxy: Proxy
) -> None:
    lease, lost = taken(objects, "first", seconds=60), []

    def lose(method: str, path: str, headers: Headers) -> int | None:
        if method == "PUT" and len(lost) < 2:  # boto3 tries twice
            lost.append(path)
            return LOSE_ANSWER
        return None

    proxy.rule = lose

    assert lease.renew()
    assert len(lost) == 2
    assert not lease.lost
    assert lease.renew()


def test_a_store_that_is_away_loses_no_lease_but_it_is_fresh_no_more(
    objects: Conditional, proxy: Proxy
) -> None:
    lease = taken(objects, "first", seconds=1)
    hasty = Lease(
        Conditional.of(type(objects.store)(objects.store.location, patience=0.1)),
        lease.attempt,
        lease.holder,
        lease.tag,
        None,
        seconds=1,
    )
    proxy.rule = lambda *asked: 503
    with pytest.raises(EngineError, match=r"for put_object lease\.json"):
        hasty.renew()
    time.sleep(1)
    assert not hasty.fresh

    proxy.rule = lambda *asked: None

    assert hasty.renew()
    assert hasty.fresh


def test_a_store_that_ignores_conditions_is_refused(objects: Conditional, proxy: Proxy) -> None:
    def ignore(method: str, path: str, headers: Headers) -> int | None:
        for name in [each for each in headers if each.lower() in ("if-none-match", "if-match")]:
            del headers[name]
        return None

    proxy.rule = ignore

    with pytest.raises(InputError, match="does not honour conditional writes"):
        taken(objects, "first")


def test_who_has_it_is_told_without_taking_it(objects: Conditional) -> None:
    assert lease_of(objects.store) == {}

    lease = taken(objects, "first", seconds=60)
    assert lease_of(objects.store)["alive"]
    assert lease_of(objects.store)["holder"] == "process of first"

    lease.release()
    assert not lease_of(objects.store)["alive"]
