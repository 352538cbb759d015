"""`raymed init`: from an unconfigured source to a configuration that builds as it stands."""

from raymed.pipeline.proposing.naming import propose_name, refuse_existing
from raymed.pipeline.proposing.settings import Wishes, several_images
from raymed.pipeline.proposing.story import (
    Examined,
    Settled,
    examine,
    propose_events,
    settle,
    write_configuration,
)

__all__ = [
    "Examined",
    "Settled",
    "Wishes",
    "examine",
    "propose_events",
    "propose_name",
    "refuse_existing",
    "settle",
    "several_images",
    "write_configuration",
]
