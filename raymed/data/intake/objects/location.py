"""A place in an object store, through `pyarrow.fs`."""

import os
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode

from raymed.data.intake.sources.shards import is_pattern
from raymed.errors import InputError
from raymed.files import digest

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_DETAIL = 300
_PATIENCE = 30  # seconds that a gs:// is tried for; pyarrow's own are 15 minutes

_DENIED = ("ACCESS_DENIED", "ACCESS_KEY", "SIGNATURE", "TOKEN", "STATUS 401", "STATUS 403")
_UNREACHABLE = ("NETWORK_CONNECTION", "curlCode", "UNAVAILABLE", "REQUEST_TIMEOUT", "SLOW_DOWN")
_REMEDIES = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; a public bucket is "
    "read with ?anonymous=true",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS; a public bucket is read with gs://anonymous@bucket",
}


@dataclass(frozen=True)
class Location:
    """What a URL names: `path` is the bucket, then the key or prefix; `options` are pyarrow's."""

    url: str
    scheme: str
    user: str
    path: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, url: str) -> Self:
        """Take a URL apart."""
        plain, _, query = url.partition("?")
        scheme, _, rest = plain.partition("://")
        bucket, slash, key = rest.partition("/")
        user, at, bucket = bucket.rpartition("@")
        path = unquote(bucket + slash + key).rstrip("/")
        return cls(url, scheme, user + at, path, tuple(parse_qsl(query)))

    @property
    def name(self) -> str:
        """Name a folder for it: its last part, and a hash of all that tells it from others."""
        said = dict(self.options).get("endpoint_override")
        endpoint = said or next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
        last = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.path.split("/")[-1])
        return f"{last.strip('.')[:40]}-{digest([self.scheme, self.path, endpoint])[:16]}"

    def __str__(self) -> str:
        """Give the URL."""
        return self.url

    @property
    def plain_path(self) -> str:
        """The path, where it is a pattern so far as it names no other places."""
        parts = self.path.split("/")
        first = next((n for n, part in enumerate(parts) if is_pattern(part)), len(parts))
        return "/".join(parts[:first])

    @property
    def uri(self) -> str | None:
        """What `pyarrow.fs` connects by on any machine; None for anonymous readers."""
        options = dict(self.options)
        if self.scheme == "s3" and _is_true(options.pop("anonymous", "")):
            return None
        if self.scheme == "gs":
            options.setdefault("retry_limit_seconds", str(_PATIENCE))
        query = f"?{urlencode(options)}" if options else ""
        return f"{self.scheme}://{self.user}{self.path.split('/')[0]}{query}"

    def connect(self) -> Any:
        """Give pyarrow's file system, with keys, region and endpoint of the environment."""
        from pyarrow import fs

        try:
            if self.uri is None:
                options = {name: value for name, value in self.options if name != "anonymous"}
                return _anonymous(self.path.split("/")[0], options)
            return fs.FileSystem.from_uri(self.uri)[0]
        except (OSError, ValueError, TypeError) as error:  # ArrowInvalid is a ValueError
            raise self.refusal(error) from None

    def no_bucket(self) -> InputError:
        """Say that there is no such bucket."""
        bucket = self.path.split("/")[0]
        remedy = "see its name" + ", AWS_ENDPOINT_URL and AWS_REGION" * (self.scheme == "s3")
        return InputError(self.url, f"there is no bucket {bucket!r}", remedy)

    def refusal(self, error: Exception) -> InputError:
        """Say what an error of the store means."""
        told = " ".join(str(error).split())
        detail = f"({told[:_DETAIL]})"
        if _names_no_bucket(told):
            return self.no_bucket()
        if _is_denied(told):
            return InputError(self.url, f"access is denied {detail}", _REMEDIES[self.scheme])
        if is_unreachable(error):
            see = "the network, AWS_ENDPOINT_URL and AWS_REGION"
            remedy = f"see {see if self.scheme == 's3' else 'the network'}; run the same command"
            return InputError(self.url, f"cannot be reached {detail}", remedy)
        return InputError(self.url, f"cannot be read {detail}")


def is_final(error: Exception) -> bool:
    """Tell whether the store refuses, so that it will again."""
    told = " ".join(str(error).split())
    return _names_no_bucket(told) or _is_denied(told)


def _names_no_bucket(told: str) -> bool:
    return "NO_SUCH_BUCKET" in told or ("Bucket" in told and "not found" in told)


def _is_denied(told: str) -> bool:
    return any(word in told.upper() for word in _DENIED)


def is_unreachable(error: Exception) -> bool:
    """Tell whether the store did not answer, so that it may later."""
    return any(word in str(error) for word in _UNREACHABLE)


def _anonymous(bucket: str, options: dict[str, str]) -> Any:
    from pyarrow import fs

    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
    if endpoint is not None:
        options.setdefault("endpoint_override", endpoint)
    if "endpoint_override" not in options:
        options.setdefault("region", os.environ.get("AWS_REGION") or fs.resolve_s3_region(bucket))
    return fs.S3FileSystem(anonymous=True, **options)


def _is_true(word: str) -> bool:
    return word.lower() in ("true", "1", "yes")
