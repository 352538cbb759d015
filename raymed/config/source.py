"""Where a data set lies: a path, or a prefix of an object store."""

from pathlib import Path
from typing import Annotated, Any, TypeGuard
from urllib.parse import urlsplit

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from raymed.config.strict import resolve_path

SCHEMES = ("s3", "gs")


def is_url(source: Path | str) -> TypeGuard[str]:
    """Tell whether a source lies in an object store."""
    return isinstance(source, str) and "://" in source


def check_url(url: str) -> str:
    """Refuse a URL of another scheme, without a bucket, or with a key that belongs elsewhere."""
    scheme, rest = url.split("://", 1)
    if scheme not in SCHEMES:
        known = " or ".join(f"{name}://" for name in SCHEMES)
        raise ValueError(f"{scheme}:// is not read; give {known}, a file or a folder")
    name, _, bucket = rest.split("/")[0].split("?")[0].rpartition("@")
    if not bucket:
        raise ValueError(f"names no bucket; write {scheme}://bucket/prefix")
    if name and (scheme, name) != ("gs", "anonymous"):
        raise ValueError("holds a key; keys belong into the environment or a profile")
    if "#" in url or urlsplit(url).fragment:
        raise ValueError("'#' in a URL is not read; rename the prefix")
    return url


def _read_source(
    value: Any, inner: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> Path | str:
    if is_url(value):
        return check_url(value)
    if not isinstance(value, str | Path):
        raise PydanticCustomError("path_type", "Input is not a valid path")
    return resolve_path(Path(value), info)


Source = Annotated[Path | str, WrapValidator(_read_source, json_schema_input_type=Path)]
"""A URL of an object store, else a path that starts at the configuration file's folder."""
