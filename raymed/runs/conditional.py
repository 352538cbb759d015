"""Objects that are written only where they are as the writer knows them, through boto3.

pyarrow leaves such conditions out without a word.
"""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from raymed.errors import InputError
from raymed.runs.store import RunStore

_REFUSED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT = {"NoSuchKey", "404"}
_DENIED = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "401",
    "403",
}
_SECONDS = 10
"""How long the store has to take a connection, and to answer."""


@dataclass(frozen=True)
class Versioned:
    """A JSON object, and the tag of this version of it."""

    content: dict[str, Any]
    tag: str


@dataclass(frozen=True)
class Conditional:
    """JSON objects of a store, which is waited for as long as the store's patience lasts."""

    store: RunStore
    client: Any

    @classmethod
    def of(cls, store: RunStore) -> Self:
        """Connect, with keys, region and endpoint of the environment or of the URL."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise InputError(
                store.url, "needs boto3, which is not installed", "pip install 'raymed[cluster]'"
            ) from None
        options = dict(store.location.options)
        endpoint = options.get("endpoint_override")
        if endpoint and "://" not in endpoint:
            endpoint = f"{options.get('scheme', 'https')}://{endpoint}"
        waits = Config(
            connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 2}
        )
        region = options.get("region")
        return cls(
            store, boto3.client("s3", endpoint_url=endpoint, region_name=region, config=waits)
        )

    def read(self, name: str) -> Versioned | None:
        """Read an object; None where there is none, or one that is no JSON."""
        answer = self._ask("get_object", _ABSENT, name)
        if answer is None:
            return None
        try:
            content = json.loads(answer["Body"].read())
        except ValueError:
            content = {}
        return Versioned(content if isinstance(content, dict) else {}, answer["ETag"])

    def write(self, name: str, content: dict[str, Any], known: str | None) -> str | None:
        """Write over the version of a tag, or where there is none yet; the new version's tag.

        None where the object is another by now.
        """
        body = json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"
        only = {"IfNoneMatch": "*"} if known is None else {"IfMatch": known}
        absent = _ABSENT if known is not None else set()  # deleted since: another version too
        answer = self._ask("put_object", _REFUSED | absent, name, Body=body, **only)
        return None if answer is None else str(answer["ETag"])

    def _ask(self, what: str, refusals: set[str], name: str, **more: Any) -> Any:
        asked = partial(self._answer, what, refusals, name, more)
        return self.store.patiently(f"{what} {name}", asked)

    def _answer(self, what: str, refusals: set[str], name: str, more: dict[str, Any]) -> Any:
        """Give the answer, None where it is one of the refusals."""
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _, key = self.store.key(name).partition("/")
        try:
            return getattr(self.client, what)(Bucket=bucket, Key=key, **more)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in refusals:
                return None
            if code == "NoSuchBucket":
                raise self.store.location.no_bucket() from None
            denied = "ACCESS_DENIED: " * (code in _DENIED)
            raise OSError(f"{denied}{error}") from error
        except BotoCoreError as error:
            raise OSError(f"NETWORK_CONNECTION: {error}") from error
