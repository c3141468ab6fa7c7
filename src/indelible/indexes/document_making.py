"""Making documents of a page, so that nobody else waits long for it."""

import asyncio
import contextlib
import time
from collections.abc import Mapping

import msgspec

from indelible.errors import StoreCorrupted
from indelible.events import decode_event
from indelible.indexes.documents import document_of
from indelible.indexes.index import Document
from indelible.limits import INDEX_LINE_AT_ONCE_SIZE_BYTES_MAX, INDEX_SLICE_S
from indelible.search import FieldType


async def documents_of(lines: bytes, fields: Mapping[str, FieldType]) -> list[Document]:
    """Of the events of a page. Others on the event loop get their turns meanwhile. Raises ``StoreCorrupted``."""
    made: list[Document] = []
    began_at = time.perf_counter()
    for line in lines.split(b"\n") if lines else ():
        if len(line) > INDEX_LINE_AT_ONCE_SIZE_BYTES_MAX:
            made.append(await asyncio.to_thread(_document, line, fields))
        else:
            made.append(_document(line, fields))
        if time.perf_counter() - began_at > INDEX_SLICE_S:
            await asyncio.sleep(0)
            began_at = time.perf_counter()
    return made


class _Placed(msgspec.Struct):
    position: int


def _document(line: bytes, fields: Mapping[str, FieldType]) -> Document:
    try:
        return document_of(decode_event(line), fields)
    except (ValueError, RecursionError) as error:
        place = {}
        with contextlib.suppress(ValueError):
            place["position"] = msgspec.json.decode(line, type=_Placed).position
        raise StoreCorrupted(f"a stored event is not what an event is: {error}", **place) from error
