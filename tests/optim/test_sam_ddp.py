"""Two gloo processes: each climbs on its own share, both take the same step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from raymed.optim import SAM, sam_step
from tests.forked import exit_code, forked

STEPS, RHO = 3, 0.5
CASES: dict[str, dict[str, Any]] = {
    "sam_step": {},
    "textbook": {},
    "synchronised": {"synchronised": True},
    "accumulate": {},
    "look": {"look_every": 2},
    "one fails": {},
}


def make() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def share(step: int, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Four samples for each process and step."""
    generator = torch.Generator().manual_seed(100 * step + rank)
    data = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    return data, torch.randint(3, (4,), generator=generator)


def part_loss(model: nn.Module, step: int, rank: int, part: int | None = None) -> torch.Tensor:
    data, labels = share(step, rank)
    rows = slice(None) if part is None else slice(2 * part, 2 * part + 2)
    return functional.cross_entropy(model(data[rows]), labels[rows])


def one_rank(rank: int, place: Path) -> None:
    """Take three steps of every case as one of two processes; save weights and what was seen."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{place / 'rendezvous'}", rank=rank, world_size=2
    )
    torch.save({case: take_steps(case, rank) for case in CASES}, place / f"{rank}.pt")
    distributed.destroy_process_group()


def take_steps(case: str, rank: int) -> dict[str, Any]:
    model = make()
    ddp = DistributedDataParallel(model)
    told = {"model": ddp} if case == "textbook" else {}
    sam = SAM(ddp.parameters(), torch.optim.SGD, rho=RHO, lr=0.1, **told, **CASES[case])
    climbs = []
    climb = sam.first_step

    def watched(*arguments: Any, **options: Any) -> bool:
        own = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        climbs.append(torch.cat(own))
        return climb(*arguments, **options)

    sam.first_step = watched  # type: ignore[method-assign]
    for step in range(STEPS):
        if case == "textbook":
            part_loss(ddp, step, rank).backward()
            sam.first_step(zero_grad=True)
            part_loss(ddp, step, rank).backward()
            sam.second_step(zero_grad=True)
        elif case == "accumulate":
            sam_step(ddp, sam, lambda part, s=step: part_loss(ddp, s, rank, part), accumulate=2)  # type: ignore[misc]
        else:
            bad = float("nan") if (case, step, rank) == ("one fails", 1, 1) else 1.0
            sam_step(ddp, sam, lambda s=step, f=bad: f * part_loss(ddp, s, rank))  # type: ignore[misc]
    weights = [p.detach() for p in model.parameters()]
    return {"weights": weights, "climbs": climbs, "skipped": sam.skipped}


def by_hand(synchronised: bool = False, skip: int | None = None) -> Iterator[list[torch.Tensor]]:
    """Each share's own climb (or that of their mean), the step along their mean gradient."""
    model = make()
    for step in range(STEPS):
        if step == skip:
            yield [torch.zeros(0)] * 2
            continue
        own = list(model.parameters())
        g = [torch.autograd.grad(part_loss(model, step, rank), own) for rank in (0, 1)]
        mean = [(a + b) / 2 for a, b in zip(*g, strict=True)]
        s = []
        for rank in (0, 1):
            twin = make()
            way = mean if synchronised else g[rank]
            norm = torch.cat([value.flatten() for value in way]).norm()
            with torch.no_grad():
                for p, w, value in zip(twin.parameters(), own, way, strict=True):
                    p.copy_(w + RHO * value / norm)
            s.append(torch.autograd.grad(part_loss(twin, step, rank), list(twin.parameters())))
        with torch.no_grad():
            for p, a, b in zip(own, *s, strict=True):
                p -= 0.1 * (a + b) / 2
        yield [torch.cat([value.flatten() for value in each]) for each in g]
    yield list(model.parameters())


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What both processes saved, for each case."""
    place = tmp_path_factory.mktemp("ddp")
    both = [forked(one_rank, rank, place) for rank in (0, 1)]
    assert [exit_code(process, 120) for process in both] == [0, 0]
    saved = [torch.load(place / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    return {case: [own[case] for own in saved] for case in CASES}


@pytest.mark.parametrize("case", ["sam_step", "textbook", "accumulate"])
def test_each_process_climbs_on_its_own_share_without_an_all_reduce(
    case: str, ranks: dict[str, list[dict[str, Any]]]
) -> None:
    *climbs, expected = by_hand()
    for rank in (0, 1):
        for mine, own in zip(ranks[case][rank]["climbs"], climbs, strict=True):
            torch.testing.assert_close(mine, own[rank], rtol=1e-10, atol=1e-13)
        for mine, weight in zip(ranks[case][rank]["weights"], expected, strict=True):
            torch.testing.assert_close(mine, weight.detach(), rtol=1e-10, atol=1e-13)


def test_a_synchronised_climb_follows_the_mean_gradient(
    ranks: dict[str, list[dict[str, Any]]],
) -> None:
    *_, expected = by_hand(synchronised=True)
    *_, alone = by_hand()
    assert not torch.allclose(expected[0], alone[0], atol=1e-6)
    for rank in (0, 1):
        for mine, weight in zip(ranks["synchronised"][rank]["weights"], expected, strict=True):
            torch.testing.assert_close(mine, weight.detach(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_both_processes_hold_the_same_weights_bit_for_bit(
    case: str, ranks: dict[str, list[dict[str, Any]]]
) -> None:
    first, second = (found["weights"] for found in ranks[case])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_loss_that_fails_in_one_process_is_skipped_in_both(
    ranks: dict[str, list[dict[str, Any]]],
) -> None:
    *_, expected = by_hand(skip=1)
    for rank in (0, 1):
        assert ranks["one fails"][rank]["skipped"] == 1
        for mine, weight in zip(ranks["one fails"][rank]["weights"], expected, strict=True):
            torch.testing.assert_close(mine, weight.detach(), rtol=1e-10, atol=1e-13)
