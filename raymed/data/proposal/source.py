"""What lies at a path or URL, and how it can be read."""

from dataclasses import replace
from pathlib import Path

from raymed.config import Cluster, DataConfig, is_url
from raymed.data.intake.objects import local_data
from raymed.data.intake.sources import SourceKind, kind_of_source
from raymed.data.intake.sources.shards import is_pattern
from raymed.data.intake.steps import Steps
from raymed.data.proposal.contract import Proposal
from raymed.data.proposal.folders import propose_folder
from raymed.data.proposal.packed import image_column_of, propose_packed
from raymed.data.proposal.tables import propose_table
from raymed.errors import InputError, some
from raymed.stories import result_of

_COPY = "nothing reads {url} as it lies there: its copy in the cache is named, {local}"


def propose(source: str | Path) -> Proposal:
    """Propose how to read a source, as `proposing` does, without telling how far it is."""
    return result_of(proposing(source, Cluster().cache_folder))


def proposing(source: str | Path, cache: Path) -> Steps[Proposal]:
    """Propose how to read a source; what lies in an object store is fetched into the cache.

    Raises `InputError` where there is nothing, no image, no label, or one class only.
    """
    if is_url(source):
        proposal = yield from _fetched(source, cache)
    else:
        proposal = yield from _proposed(Path(source).expanduser().resolve())
    if len(proposal.order.classes) < 2:
        raise InputError(
            str(source), f"holds one class only: {some(proposal.order.classes)}", "give two or more"
        )
    return proposal


def _fetched(url: str, cache: Path) -> Steps[Proposal]:
    """Propose what a URL names, by its copy; the URL stays the source where it can be read."""
    local = (yield from local_data(DataConfig(source=url), cache)).source
    assert isinstance(local, Path)
    proposal = yield from _proposed(local)
    if proposal.manifest is not None or "root" in proposal.settings:
        note = _COPY.format(url=url, local=local)
        return replace(proposal, notes=(*proposal.notes, note))
    below = Path(proposal.source).relative_to(local).as_posix()
    plain, mark, options = url.partition("?")
    named = plain if below == "." else f"{plain.rstrip('/')}/{below}"
    return replace(proposal, source=named + mark + options)


def _proposed(source: Path) -> Steps[Proposal]:
    if not source.exists() and not is_pattern(str(source)):
        raise InputError(str(source), "no such file or folder", "give the folder of the images")
    image_column = image_column_of(source)
    if image_column is not None:
        return (yield from propose_packed(source, SourceKind.PARQUET_IMAGES, image_column))
    kind = kind_of_source(source)
    if kind in (SourceKind.NPZ, SourceKind.WEBDATASET):
        return (yield from propose_packed(source, kind))
    if source.is_file():
        return propose_table(source)
    return (yield from propose_folder(source))
