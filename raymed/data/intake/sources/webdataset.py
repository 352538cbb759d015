"""WebDataset: tars in which files with one key are one sample.

The key is a member's path up to the first dot of its last part, the rest is its suffix:
`ill/p1.png` and `ill/p1.json` are the image and the fields of the sample `ill/p1`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.image_files import IMAGE_SUFFIXES
from raymed.data.intake.keyed import as_text, column_of
from raymed.data.intake.sources.columns import refuse_unlabelled, site_and_split, split_of_rows
from raymed.data.intake.sources.shards import Shards
from raymed.data.intake.steps import Step, Steps
from raymed.data.pixels.content import LooseFile
from raymed.data.pixels.tar import Member, tar_members
from raymed.errors import InputError, some

_CLASS, _FIELDS = "cls", "json"
_TEXTS = (_CLASS, "txt")
_USUAL = DataConfig.model_fields["label_column"].default


@dataclass(frozen=True)
class _Sample:
    """A key of a tar: the member that is its image, and what stands beside it."""

    shard: int
    key: str
    image: Member
    fields: Mapping[str, str]


def read_webdataset(shards: Shards, data: DataConfig) -> Steps[pd.DataFrame]:
    """List the images of tars, with what `.cls`, `.txt` and `.json` say beside them.

    The label is `.cls`, else the field `label_column`; a `label_column` of another name comes
    first. A key with several images needs `image_column` to name the suffix of one. Sample ids are
    keys; where two tars have one in common, all begin with their tar's name.
    """
    samples: list[_Sample] = []
    for number, file in enumerate(shards.files):
        yield Step("listing tars", number, len(shards.files))
        samples += _samples_of(number, str(file), data)
    place = str(shards.files[0] if len(shards.files) == 1 else shards.root)
    if not samples:
        known = f"known suffixes: {some(sorted(IMAGE_SUFFIXES), 20)}"
        raise InputError(place, "holds no images", known)
    table = pd.DataFrame([each.fields for each in samples]).fillna("")
    images = [f"{shards.files[each.shard]}::{each.image.name}" for each in samples]
    labels = _labels(table, data, images, place)
    said, splits = site_and_split(table, data, place), shards.splits()
    split = split_of_rows(said["split"], [splits[each.shard] for each in samples], place)
    keys = [each.key for each in samples]
    relative = [each.image.name for each in samples]
    if len(set(keys)) < len(keys):
        names = [f"{shards.names()[each.shard]}/" for each in samples]
        keys, relative = ([*map(str.__add__, names, each)] for each in (keys, relative))
    ids = table["sample_id"] if "sample_id" in table.columns else keys
    return table.assign(
        sample_id=ids, image=images, relative=relative, label=labels, site=said["site"], split=split
    )


def _samples_of(number: int, path: str, data: DataConfig) -> Iterator[_Sample]:
    members: dict[str, dict[str, Member]] = {}
    for member in tar_members(path):
        folder, slash, name = member.name.rpartition("/")
        stem, _, suffix = name.partition(".")
        members.setdefault(folder + slash + stem, {})[suffix.lower()] = member
    with LooseFile(path).open() as file:
        for key, parts in members.items():
            image = _image_of(key, parts, path, data)
            if image is not None:
                yield _Sample(number, key, image, _fields_of(parts, file, path))


def _image_of(key: str, parts: Mapping[str, Member], path: str, data: DataConfig) -> Member | None:
    """Find the image of a key; None for keys that are only text."""
    place, suffix = f"{path}::{key}", data.image_column.lower()
    if suffix in parts:
        return parts[suffix]
    found = [name for name in parts if f".{name}".endswith(tuple(IMAGE_SUFFIXES))]
    if len(found) > 1:
        remedy = "name the suffix of one as data.image_column, or give each image a key of its own"
        raise InputError(place, f"holds {len(found)} images: {some(found)}", remedy)
    if not found and _CLASS in parts:
        fault = f"has a class and no image: {some(list(parts))}"
        raise InputError(place, fault, f"known suffixes: {some(sorted(IMAGE_SUFFIXES), 20)}")
    return parts[found[0]] if found else None


def _fields_of(parts: Mapping[str, Member], file: IO[bytes], path: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for suffix in (_FIELDS, *_TEXTS):
        if suffix not in parts:
            continue
        place = f"{path}::{parts[suffix].name}"
        file.seek(parts[suffix].start)
        try:
            text = file.read(parts[suffix].size).decode("utf-8-sig")
            fields |= _scalars(json.loads(text)) if suffix == _FIELDS else {suffix: text.strip()}
        except (ValueError, AttributeError, RecursionError) as error:
            kind = "an object in JSON" if suffix == _FIELDS else "text in UTF-8"
            raise InputError(place, f"is not {kind} ({error})") from None
    return fields


def _scalars(fields: dict[str, Any]) -> dict[str, str]:
    """Take the fields that can be columns."""
    return {
        name: as_text(value) for name, value in fields.items() if not isinstance(value, list | dict)
    }


def _labels(table: pd.DataFrame, data: DataConfig, images: Sequence[str], place: str) -> pd.Series:
    name = data.label_column
    said = table[name] if name in table.columns else pd.Series("", index=table.index, dtype="str")
    if name == _USUAL and _CLASS in table.columns:
        labels = table[_CLASS].where(table[_CLASS] != "", said)
    elif name == _USUAL or name in table.columns:
        labels = said
    else:
        labels = column_of(table, name, place)
    if (labels == "").all():
        remedy = f"put KEY.cls beside KEY.png, or the field {name!r} into KEY.json"
        raise InputError(place, f"none of its {len(labels)} images has a label", remedy)
    refuse_unlabelled(labels, images, place)
    return labels.str.strip()
