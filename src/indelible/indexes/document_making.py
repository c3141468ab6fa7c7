"""Making documents of a page, so that nobody else waits long for it."""

import asyncio
import contextlib
import time

import msgspec

from indelible.access import is_own
from indelible.errors import StoreCorrupted
from indelible.indexes.documents import DocumentMaker
from indelible.indexes.index import Document
from indelible.limits import INDEX_LINE_AT_ONCE_SIZE_BYTES_MAX, INDEX_SLICE_S


async def documents_of(lines: bytes, maker: DocumentMaker) -> list[Document]:
    """Of the events of a page, but for the store's own: whoever searches finds none. Others on the event loop get their
    turns meanwhile. Raises ``StoreCorrupted``."""
    made: list[Document] = []
    began_at = time.perf_counter()
    for line in lines.split(b"\n") if lines else ():
        if len(line) > INDEX_LINE_AT_ONCE_SIZE_BYTES_MAX:
            document = await asyncio.to_thread(_document, line, maker)
        else:
            document = _document(line, maker)
        if not is_own(document.aggregate.aggregate_type):
            made.append(document)
        if time.perf_counter() - began_at > INDEX_SLICE_S:
            await asyncio.sleep(0)
            began_at = time.perf_counter()
    return made


class _Placed(msgspec.Struct):
    position: int


def _document(line: bytes, maker: DocumentMaker) -> Document:
    try:
        return maker.document_of(line)
    except (ValueError, RecursionError) as error:
        place = {}
        with contextlib.suppress(ValueError):
            place["position"] = msgspec.json.decode(line, type=_Placed).position
        raise StoreCorrupted(f"a stored event is not what an event is: {error}", **place) from error
