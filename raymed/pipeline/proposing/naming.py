"""The name of an experiment that is proposed, and whether its files may be written."""

import re
from pathlib import Path

from raymed.errors import InputError
from raymed.pipeline.proposing.story import manifest_beside

_SAY_NOTHING = re.compile(
    r"(?i)(images?|data|datasets?|train(ing)?|all|manifest|labels?|png|jpe?g|dicom|nifti|raw|slices)"
)


def propose_name(source: Path | str, runs: Path = Path("runs")) -> str:
    """Name an experiment after its source, by the nearest folder whose name says something.

    A name whose run folder is there already gets a number.
    """
    plain = str(source).partition("?")[0]
    parts = [part for part in re.split(r"[/\\]", plain) if part and ":" not in part]
    stems = [re.sub(r"\.(csv|tsv|xlsx|parquet|pq|npz|tar|gz)$", "", part) for part in parts]
    telling = [stem for stem in stems[::-1] if not _SAY_NOTHING.fullmatch(stem)]
    slugs = (re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:60] for stem in telling)
    name = next((slug for slug in slugs if slug), "experiment")
    taken, number = name, 1
    while (runs / taken).exists():
        number += 1
        taken = f"{name}-{number}"
    return taken


def refuse_existing(file: Path, *, manifest: bool, force: bool) -> None:
    """Refuse to write over files without `force`, and to write onto a folder."""
    if file.is_dir():
        raise InputError(str(file), "is a folder", "name the file to write: -o brain.yaml")
    wanted = [file, manifest_beside(file)] if manifest else [file]
    for path in wanted:
        if path.exists() and not force:
            raise InputError(str(path), "is there already", "name another, or give --force")
