"""What SAM costs a step: ours, the library pytorch_optimizer's and a plain loop, in one run.

    uv run --group benchmarks python benchmarks/sam.py            # about 15 minutes on 2 cores

For resnet18 and vit_tiny_patch16_224 at 96 px, batch 32, one thread, random images, each round
takes one step of every kind, in an order drawn anew; medians over the rounds. "Two steps" is the
optimizer's own part, `first_step` and `second_step`, without forward and backward. Writes `sam.md`.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn
from torch.nn import functional

from raymed.optim import SAM, sam_step

TABLE = Path(__file__).with_suffix(".md")
BATCH, SIDE, RHO = 32, 96, 0.05


class Textbook:
    """SAM as most people copy it (github.com/davda54/sam): a loop over the parameters.

    The same operations on the same tensors, `1.0 *` for the plain climb included.
    """

    def __init__(self, model: nn.Module, base: torch.optim.Optimizer) -> None:
        """Go around `base`."""
        self.model, self.base = model, base
        self.kept: dict[nn.Parameter, torch.Tensor] = {}

    @torch.no_grad()
    def first_step(self, zero_grad: bool = False) -> None:
        """Climb, parameter by parameter."""
        own = [p for p in self.model.parameters() if p.grad is not None]
        norm = torch.norm(torch.stack([(1.0 * p.grad).norm(p=2) for p in own]), p=2)
        scale = RHO / (norm + 1e-12)
        for p in own:
            self.kept[p] = p.data.clone()
            p.add_(1.0 * p.grad * scale.to(p))
        if zero_grad:
            self.base.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad: bool = False) -> None:
        """Go back and step."""
        for p, kept in self.kept.items():
            p.data = kept
        self.base.step()
        if zero_grad:
            self.base.zero_grad()


@dataclass
class Kind:
    """One way to train, with what it took so far."""

    model: nn.Module
    optimizer: Any
    way: str
    whole: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Take one step and note the seconds."""

        def loss(most: int | None = None) -> torch.Tensor:
            return functional.cross_entropy(self.model(images[:most]), labels[:most])

        begun, own = time.perf_counter(), 0.0
        if self.way == "sam_step":
            sam_step(self.model, self.optimizer, loss)
        elif self.way == "quarter":
            sam_step(self.model, self.optimizer, loss, climb_fn=lambda: loss(BATCH // 4))
        elif self.way == "plain":
            self.optimizer.zero_grad()
            loss().backward()
            own = timed(self.optimizer.step)
        else:
            self.optimizer_zero()
            loss().backward()
            own = timed(lambda: self.optimizer.first_step(zero_grad=True))
            loss().backward()
            own += timed(lambda: self.optimizer.second_step(zero_grad=True))
        self.whole.append(time.perf_counter() - begun)
        self.own.append(own)

    def optimizer_zero(self) -> None:
        """Clear the gradients."""
        self.model.zero_grad()


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def kinds(name: str) -> dict[str, Kind]:
    """Build every way to train one model, from the same first weights."""
    import pytorch_optimizer

    adamw, options = torch.optim.AdamW, {"lr": 1e-4, "weight_decay": 0.01}

    def model() -> nn.Module:
        torch.manual_seed(0)
        size = {"img_size": SIDE} if "vit" in name else {}
        return timm.create_model(name, num_classes=4, **size).train()

    def kind(make: Callable[[nn.Module], Any], way: str) -> Kind:
        built = model()
        return Kind(built, make(built), way)

    def ours(fused: bool, **more: Any) -> Callable[[nn.Module], Any]:
        return lambda m: SAM(m.parameters(), adamw, rho=RHO, fused=fused, **options, **more)

    return {
        "AdamW, fused": kind(lambda m: adamw(m.parameters(), fused=True, **options), "plain"),
        "AdamW, torch's default": kind(lambda m: adamw(m.parameters(), **options), "plain"),
        "textbook loop, AdamW default": kind(
            lambda m: Textbook(m, adamw(m.parameters(), **options)), "two"
        ),
        "textbook loop, AdamW fused": kind(
            lambda m: Textbook(m, adamw(m.parameters(), fused=True, **options)), "two"
        ),
        "pytorch_optimizer, AdamW default": kind(
            lambda m: pytorch_optimizer.SAM(m.parameters(), adamw, rho=RHO, **options), "two"
        ),
        "ours, AdamW default": kind(ours(fused=False), "two"),
        "ours, AdamW fused": kind(ours(fused=True), "two"),
        "ours, fused, sam_step": kind(ours(fused=True), "sam_step"),
        "ours, fused, a quarter climbs": kind(ours(fused=True), "quarter"),
        "ours, fused, LookSAM k 5": kind(ours(fused=True, look_every=5), "sam_step"),
        "ours, fused, MSAM": kind(ours(fused=True, climb="momentum"), "sam_step"),
    }


def measure(name: str, rounds: int) -> list[str]:
    """Interleave the kinds and give a row each."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, SIDE, SIDE, generator=generator)
    labels = torch.randint(4, (BATCH,), generator=generator)
    found, order = kinds(name), random.Random(0)
    for round_ in range(rounds + 2):
        names = list(found)
        order.shuffle(names)
        for each in names:
            found[each].step(images, labels)
        print(f"{name}: round {round_ + 1} of {rounds + 2}", end="\r", flush=True)
    base = statistics.median(found["AdamW, fused"].whole[2:])
    book = statistics.median(found["textbook loop, AdamW default"].own[2:])
    rows = []
    for each, kind in found.items():
        whole, own = kind.whole[2:], kind.own[2:]
        mean_of = statistics.mean if "LookSAM" in each else statistics.median
        two = f"{1000 * statistics.median(own):.1f} ms" if any(own) else ""
        share = f"{statistics.median(own) / book:.2f}" if any(own) and kind.way == "two" else ""
        rows.append(
            f"| {name} | {each} | {1000 * mean_of(whole):.0f} ms | {mean_of(whole) / base:.2f} "
            f"| {two} | {share} |"
        )
    return rows


def main() -> None:
    """Measure both models and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, torch {torch.__version__.split('+')[0]}, one thread of a "
        f"2-core machine without GPU; batch {BATCH}, {SIDE} px, medians of {rounds} interleaved "
        "rounds (LookSAM: mean).",
        "",
        "| model | way | whole step | over fused AdamW | optimizer's part | over textbook's |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("resnet18", "vit_tiny_patch16_224"):
        lines += measure(name, rounds)
    text = "\n".join(lines) + "\n"
    TABLE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
