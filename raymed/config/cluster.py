"""Where units of work run."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from raymed.config.strict import RelativePath, Strict


def check_address(address: str) -> str:
    """Refuse what is no address of a Ray that a process may join: auto, or HOST:PORT."""
    if address.startswith("ray://"):
        raise ValueError(
            "ray:// is a client's address; run raymed on a node of that Ray, as `ray job submit` "
            "does, with address: auto"
        )
    host, _, port = address.rpartition(":")
    if address != "auto" and not (host and port.isdigit() and 0 < int(port) < 2**16):
        raise ValueError(f"{address!r} is no address; write auto or HOST:PORT")
    return address


class Cluster(Strict):
    """Where units of work run. Nothing here changes a result."""

    address: Annotated[str, AfterValidator(check_address)] | None = Field(
        None,
        description="a running Ray whose nodes do the work: auto (the one of this machine or of "
        "RAY_ADDRESS) or HOST:PORT; default: a Ray of raymed's own on this machine",
    )
    workers: Annotated[
        int | None,
        BeforeValidator(
            lambda value: None if value == "auto" else value,
            json_schema_input_type=Literal["auto"] | int | None,
        ),
    ] = Field(None, ge=1, description="at once; auto: one for each core, or each GPU")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    gpu_kind: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="units take GPUs of this kind alone, as Ray names it: H100, A100-80G, T4; "
        "default: whatever kind",
    )
    wait_minutes: float = Field(
        0,
        ge=0,
        le=24 * 60,
        description="on a Ray that scales, how long nodes may take to come; name workers too, as "
        "many as shall work at once. 0: what has no room now is refused",
    )
    engine: Literal["auto", "workers", "train"] = Field(
        "auto",
        description="workers: reused processes; train: a Ray Train run a unit; "
        "auto: train where several processes share a unit and on a cluster's GPUs, else workers",
    )
    cache: RelativePath | None = Field(
        None,
        description="decoded images, features and fetched sources; default: $RAYMED_CACHE or "
        "~/.cache/raymed",
    )
    streaming: Literal["auto", "always", "never"] = Field(
        "auto",
        description="decode images anew for each batch, to the same bits but slower; auto: where "
        "the cache's disk has too little room to keep them decoded",
    )
    checkpoint_seconds: float = Field(30.0, ge=0, description="least time between checkpoints")

    @model_validator(mode="after")
    def _a_kind_of_gpu_wants_gpus(self) -> Self:
        if self.gpu_kind is not None and self.device == "cpu":
            raise ValueError("gpu_kind: names a GPU, but device is cpu; leave one of them out")
        return self

    @model_validator(mode="after")
    def _how_many_are_to_come_is_said(self) -> Self:
        if self.wait_minutes and self.workers is None:
            raise ValueError("wait_minutes: nodes are to come; say in workers for how many at once")
        return self

    @property
    def cache_folder(self) -> Path:
        """The folder of decoded images, features and fetched sources, shared between runs."""
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        default = os.environ.get("RAYMED_CACHE") or Path(home) / "raymed"
        return self.cache if self.cache is not None else Path(default)
