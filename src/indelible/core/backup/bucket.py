"""A bucket of an object store as the place of a backup: S3 and what speaks like it, Google Cloud Storage, Azure.

Credentials and endpoints come from the environment, as obstore documents them for each kind: for S3
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT``.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from indelible.core.backup.manifest import MANIFEST, SEGMENTS
from indelible.core.backup.places import other_backup_runs
from indelible.errors import InvalidRequest, Unavailable
from indelible.limits import RETRY_AFTER_S
from indelible.store_urls import scheme_of

try:
    import obstore
    from obstore import exceptions
    from obstore.store import from_url
except ImportError as error:
    raise InvalidRequest.of_extra("backup", error, pointer="") from None

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import ObjectStore

_SCHEMES: Final = ("s3", "s3a", "gs", "az", "abfs", "abfss")


class Bucket:
    """What a bucket has taken it has stored. Two that write at once are told apart by conditional writes."""

    def __init__(self, store: "ObjectStore") -> None:
        self._store: Final = store

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, name: str) -> bytes:
        with _translated():
            return bytes(await (await obstore.get_async(self._store, name)).bytes_async())

    async def write(self, name: str, data: bytes) -> None:
        with _translated():
            await obstore.put_async(self._store, name, data)

    async def read_manifest(self) -> tuple[bytes, str] | None:
        try:
            with _translated():
                found = await obstore.get_async(self._store, MANIFEST)
                return bytes(await found.bytes_async()), found.meta["e_tag"] or ""
        except FileNotFoundError:
            return None

    async def replace_manifest(self, data: bytes, known: str | None) -> str:
        mode: PutMode = "create" if known is None else {"e_tag": known}
        try:
            with _translated():
                return (await obstore.put_async(self._store, MANIFEST, data, mode=mode))["e_tag"] or ""
        except FileExistsError:
            raise other_backup_runs() from None

    async def delete(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                with _translated():
                    await obstore.delete_async(self._store, name)
            except FileNotFoundError:
                continue

    async def old_segments(self, age_s: float) -> list[str]:
        before = datetime.now(UTC) - timedelta(seconds=age_s)
        with _translated():
            lots = obstore.list(self._store, SEGMENTS)
            return [meta["path"] async for lot in lots for meta in lot if meta["last_modified"] < before]


def open_bucket(url: str) -> Bucket:
    """Raises ``InvalidRequest``."""
    if scheme_of(url) not in _SCHEMES:
        raise InvalidRequest(f"must be a folder, or a URL such as s3://BUCKET/FOLDER, not {url!r}")
    with _translated():
        # An endpoint that is given as http: is meant so.
        return Bucket(from_url(url, client_options={"allow_http": True}))


@contextmanager
def _translated() -> Iterator[None]:
    """Its errors as those of files, and as ours."""
    try:
        yield
    except exceptions.NotFoundError as error:
        raise FileNotFoundError(_first_line(error)) from None
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
        raise FileExistsError(_first_line(error)) from None
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise InvalidRequest(f"the bucket refuses this: {_first_line(error)}") from None
    except exceptions.UnknownConfigurationKeyError as error:
        raise InvalidRequest(_first_line(error)) from None
    except exceptions.BaseError as error:
        raise Unavailable(f"the bucket cannot be used: {_first_line(error)}", retry_after_s=RETRY_AFTER_S) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
