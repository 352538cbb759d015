"""What SAM costs a step: ours, the library pytorch_optimizer's and a plain loop, in one run.

    uv run --group benchmarks python benchmarks/sam.py            # about 15 minutes on 2 cores
    uv run --group benchmarks python benchmarks/sam.py --device cuda        # a few minutes

On a CPU resnet18 and vit_tiny_patch16_224 at 96 px, batch 32, one thread; on a GPU resnet50,
vit_small and vit_base at 224 px, batch 64, float32 and bf16 autocast. On random images each round
takes one step of every kind, in an order drawn anew; medians over the rounds. On a GPU clocks are
read when it is idle. "Optimizer's part" is `step`, or `first_step` and `second_step`, without
forward and backward, in rounds of its own: to wait in the middle of a step would lengthen it.
Writes `sam.md`, or `sam_cuda.md`.
"""

import argparse
import copy
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
RHO, WARM = 0.05, 3


@dataclass(frozen=True)
class Setting:
    """What is trained, and where."""

    model: str
    batch: int = 32
    side: int = 96
    device: str = "cpu"
    bf16: bool = False

    @property
    def precision(self) -> str:
        """Name the precision."""
        return "bf16" if self.bf16 else "float32"


SETTINGS = {
    "cpu": (Setting("resnet18"), Setting("vit_tiny_patch16_224")),
    "cuda": (
        Setting("resnet50", 64, 224, "cuda", bf16=True),
        Setting("vit_small_patch16_224", 64, 224, "cuda", bf16=True),
        Setting("resnet50", 64, 224, "cuda"),
        Setting("vit_small_patch16_224", 64, 224, "cuda"),
        Setting("vit_base_patch16_224", 64, 224, "cuda", bf16=True),
    ),
}


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
    setting: Setting
    whole: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)

    def step(self, images: torch.Tensor, labels: torch.Tensor, apart: bool) -> None:
        """Take one step and note its seconds; `apart`: those of the optimizer's part instead."""

        def loss(most: int | None = None) -> torch.Tensor:
            device, asked = self.setting.device, self.setting.bf16
            with torch.autocast(device, torch.bfloat16, enabled=asked):
                logits = self.model(images[:most])
            return functional.cross_entropy(logits.float(), labels[:most])

        begun, own = self._now(), 0.0
        if self.way == "sam_step":
            sam_step(self.model, self.optimizer, loss)
        elif self.way == "quarter":
            sam_step(
                self.model, self.optimizer, loss, climb_fn=lambda: loss(self.setting.batch // 4)
            )
        elif self.way == "plain":
            self.optimizer.zero_grad()
            loss().backward()
            own = self._timed(self.optimizer.step, apart)
        else:
            self.model.zero_grad()
            loss().backward()
            own = self._timed(lambda: self.optimizer.first_step(zero_grad=True), apart)
            loss().backward()
            own += self._timed(lambda: self.optimizer.second_step(zero_grad=True), apart)
        if apart:
            self.own.append(own)
        else:
            self.whole.append(self._now() - begun)

    def _timed(self, call: Callable[[], object], apart: bool) -> float:
        """Return the seconds that a call takes; where they do not matter, wait for nothing."""
        begun = self._now() if apart else 0.0
        call()
        return self._now() - begun if apart else 0.0

    def _now(self) -> float:
        if self.setting.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def kinds(setting: Setting) -> dict[str, Kind]:
    """Build every way to train one model, from the same first weights."""
    import pytorch_optimizer

    adamw, options = torch.optim.AdamW, {"lr": 1e-4, "weight_decay": 0.01}
    torch.manual_seed(0)
    size = {"img_size": setting.side} if "vit" in setting.model else {}
    first = timm.create_model(setting.model, num_classes=4, **size).train()
    if setting.device == "cuda":
        first = first.to("cuda", memory_format=torch.channels_last)  # as raymed's models are

    def kind(make: Callable[[nn.Module], Any], way: str) -> Kind:
        built = copy.deepcopy(first)
        return Kind(built, make(built), way, setting)

    def ours(fused: bool | None, **more: Any) -> Callable[[nn.Module], Any]:
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
        "ours, AdamW default": kind(ours(fused=None), "two"),
        "ours, AdamW fused": kind(ours(fused=True), "two"),
        "ours, fused, sam_step": kind(ours(fused=True), "sam_step"),
        "ours, fused, a quarter climbs": kind(ours(fused=True), "quarter"),
        "ours, fused, LookSAM k 5": kind(ours(fused=True, look_every=5), "sam_step"),
        "ours, fused, MSAM": kind(ours(fused=True, climb="momentum"), "sam_step"),
    }


def measure(setting: Setting, rounds: int, seconds: float) -> list[str]:
    """Interleave the kinds and give a row each; `rounds`, or what `seconds` are enough for."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(setting.batch, 3, setting.side, setting.side, generator=generator)
    labels = torch.randint(4, (setting.batch,), generator=generator)
    if setting.device == "cuda":
        images = images.to("cuda", memory_format=torch.channels_last)
        labels = labels.to("cuda")
    found, order = kinds(setting), random.Random(0)
    begun, done = time.monotonic(), 0
    while done < rounds + WARM and (done < 5 + WARM or time.monotonic() - begun < seconds):
        names = list(found)
        order.shuffle(names)
        for each in names:
            found[each].step(images, labels, apart=True)
            found[each].step(images, labels, apart=False)
        done += 1
        print(f"{setting.model}: round {done} of {rounds + WARM}", end="\r", flush=True)
    return [_row(setting, name, found, done - WARM) for name in found]


def _row(setting: Setting, name: str, found: dict[str, Kind], rounds: int) -> str:
    kind, plain = found[name], found["AdamW, fused"]
    mean_of = statistics.mean if "LookSAM" in name else statistics.median
    whole, own = kind.whole[WARM:], kind.own[WARM:]
    base = statistics.median(plain.whole[WARM:])
    book = statistics.median(found["textbook loop, AdamW default"].own[WARM:])
    part = f"{1e3 * statistics.median(own):.1f} ms" if any(own) else ""
    share = f"{statistics.median(own) / book:.2f}" if any(own) and kind.way == "two" else ""
    what = f"{setting.model}, {setting.precision}"
    return (
        f"| {what} | {name} | {rounds} | {1e3 * mean_of(whole):.1f} ms "
        f"| {mean_of(whole) / base:.2f} | {part} | {share} |"
    )


def where(device: str) -> str:
    """Name the machine."""
    if device == "cuda":
        return f"one {torch.cuda.get_device_name()}"
    return "one thread of a machine without GPU"


def main() -> None:
    """Measure all settings of a device and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=1e9, help="most for a model")
    parser.add_argument("--table", type=Path, help="default: beside this file")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    settings = SETTINGS[asked.device]
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, torch {torch.__version__.split('+')[0]}, "
        f"{where(asked.device)}; batch {settings[0].batch}, {settings[0].side} px, medians of "
        "interleaved rounds (LookSAM: mean).",
        "",
        "| model | way | rounds | whole step | over fused AdamW | optimizer's part "
        "| over textbook's |",
        "|---|---|---|---|---|---|---|",
    ]
    beside = TABLE if asked.device == "cpu" else TABLE.with_stem("sam_cuda")
    for setting in settings:
        lines += measure(setting, asked.rounds, asked.seconds)
        text = "\n".join(lines) + "\n"
        (asked.table or beside).write_text(text, encoding="utf-8")
        if setting.device == "cuda":
            torch.cuda.empty_cache()
    print(text)


if __name__ == "__main__":
    main()
