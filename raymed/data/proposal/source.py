"""What lies at a path, and how it can be read."""

from pathlib import Path

from raymed.data.intake.sources import SourceKind, kind_of_source
from raymed.data.intake.sources.shards import is_pattern
from raymed.data.proposal.contract import Proposal
from raymed.data.proposal.folders import propose_folder
from raymed.data.proposal.packed import image_column_of, propose_packed
from raymed.data.proposal.tables import propose_table
from raymed.errors import InputError, some


def propose(source: str | Path) -> Proposal:
    """Propose how to read a source.

    Raises `InputError` where there is nothing, no image, no label, or one class only.
    """
    proposal = _proposed(Path(source).expanduser().resolve())
    if len(proposal.order.classes) < 2:
        raise InputError(
            str(source), f"holds one class only: {some(proposal.order.classes)}", "give two or more"
        )
    return proposal


def _proposed(source: Path) -> Proposal:
    if not source.exists() and not is_pattern(str(source)):
        raise InputError(str(source), "no such file or folder", "give the folder of the images")
    image_column = image_column_of(source)
    if image_column is not None:
        return propose_packed(source, SourceKind.PARQUET_IMAGES, image_column)
    kind = kind_of_source(source)
    if kind in (SourceKind.NPZ, SourceKind.WEBDATASET):
        return propose_packed(source, kind)
    return propose_table(source) if source.is_file() else propose_folder(source)
