"""What must hold of every node before a Ray's nodes work for us; asked in less than a minute."""

from collections.abc import Mapping
from pathlib import Path

from raymed.cluster.asking import Question, ask_nodes
from raymed.cluster.attached import PLACE, attached_ray
from raymed.cluster.findings import judge_served
from raymed.cluster.scratch import Scratch, told
from raymed.cluster.spreading import Node
from raymed.data.intake.objects.location import Location
from raymed.errors import InputError

_SECONDS = 45


def check_nodes(
    address: str,
    scratch: Scratch,
    log_folder: Path,
    needed: Mapping[str, Path | Location],
    versions: Mapping[str, str],
) -> list[Node]:
    """Join the Ray at an address, ask every node, leave it again; gives the nodes.

    What one node writes into `scratch` all must read. `needed` maps keys of the configuration to
    paths that all must read; `versions` are those of the driver's packages. Raises `InputError`
    that names the first node that does not serve. `raymed doctor` shows all of them, and more.
    """
    with attached_ray(address, scratch, log_folder):
        nodes = ask_nodes(Question(list(versions), scratch, needed), _SECONDS)
    for finding in judge_served(nodes, versions, told(scratch), needed):
        raise InputError(f"{PLACE}, {finding.place}", finding.fault, finding.remedy)
    return [node.node for node in nodes]
