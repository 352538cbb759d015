"""What one GPU does with raymed: builds' agreement, packing, data's share of a step, a sweep.

    uv run python benchmarks/gpu.py                        # minutes, on one GPU
    uv run python benchmarks/gpu.py --parts data packing
    uv run python benchmarks/gpu.py --device cpu --quick --folder /tmp/try   # does it run at all

Each part writes its figures to `<folder>/<part>.json` as they come, so that one that fails loses
nothing of the others; `gpu.md` is made of what lies there. `sam.py --device cuda` has SAM's cost.
"""

import argparse
import json
import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from gpu_agreement import agreement
from gpu_builds import memory, packing, sweep
from gpu_steps import data
from gpu_table import table

from raymed.files import write_json

TABLE = Path(__file__).with_suffix(".md")
Part = Callable[[Path, str, bool, Callable[[Any], None]], None]
PARTS: dict[str, Part] = {
    "data": data,
    "packing": packing,
    "memory": memory,
    "agreement": agreement,
    "sweep": sweep,
}


def machine(device: str) -> dict[str, Any]:
    """Say what is measured on."""
    cuda = device == "cuda"
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "card": torch.cuda.get_device_name() if cuda else "no GPU",
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__.split("+")[0],
        "tf32_convolutions": cuda and bool(torch.backends.cudnn.allow_tf32),
        "tf32_products": cuda and bool(torch.backends.cuda.matmul.allow_tf32),
    }


def main() -> None:
    """Run the parts and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny; its figures mean nothing")
    parser.add_argument("--folder", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--scratch", type=Path, help="for run folders and images; default: folder")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    scratch: Path = asked.scratch or asked.folder / "scratch"
    for name in asked.parts:
        found: dict[str, Any] = {"machine": machine(asked.device), "rows": []}
        file = asked.folder / f"{name}.json"

        def keep(row: Any, found: dict[str, Any] = found, file: Path = file) -> None:
            found["rows"].append(row)
            write_json(file, found)
            print(json.dumps(row), flush=True)

        try:
            PARTS[name](scratch / name, asked.device, asked.quick, keep)
        except Exception:
            found["failed"] = traceback.format_exc()
            write_json(file, found)
            print(found["failed"], flush=True)
    text = table(asked.folder)
    (asked.folder if asked.quick else TABLE.parent).joinpath(TABLE.name).write_text(
        text, encoding="utf-8"
    )
    print(text)


if __name__ == "__main__":
    main()
