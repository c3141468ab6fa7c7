"""Documents in bulk requests, each bounded in documents and bytes."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from indelible.batching import in_lots
from indelible.indexes.index import Document, Rejected
from indelible.indexes.opensearch.calls import Calls, Item, TooLarge
from indelible.indexes.opensearch.mapping import line_of, names_of
from indelible.limits import INDEX_BULK_DOCUMENTS_MAX, INDEX_BULK_SIZE_BYTES_MAX, INDEX_BULKS_AT_ONCE_MAX
from indelible.search import FieldType


class _Line(NamedTuple):
    document: Document
    line: bytes


class Written(NamedTuple):
    added: int
    """Documents that were not there before."""
    refused: Sequence[Rejected]


async def write_documents(
    calls: Calls, generation: int, documents: Sequence[Document], step: int, fields: Mapping[str, FieldType]
) -> Written:
    """All that are not refused are there. Of one place the last counts. Raises what ``Calls.write`` does."""
    added, refused = 0, list[Rejected]()
    for requests in in_lots(list(_requests(documents, step, fields)), INDEX_BULKS_AT_ONCE_MAX):
        # None goes on behind the caller's back.
        every = await asyncio.gather(*(_write(calls, generation, one) for one in requests), return_exceptions=True)
        for one in every:
            if isinstance(one, BaseException):
                raise one
            added += one.added
            refused += one.refused
    return Written(added, refused)


def _requests(documents: Sequence[Document], step: int, fields: Mapping[str, FieldType]) -> Iterator[list[_Line]]:
    names, some, size_bytes = names_of(fields), list[_Line](), 0
    for document in {one.place: one for one in documents}.values():
        line = line_of(document, step, names)
        if some and (len(some) == INDEX_BULK_DOCUMENTS_MAX or size_bytes + len(line) > INDEX_BULK_SIZE_BYTES_MAX):
            yield some
            some, size_bytes = [], 0
        some.append(_Line(document, line))
        size_bytes += len(line)
    if some:
        yield some


async def _write(calls: Calls, generation: int, some: Sequence[_Line]) -> Written:
    """A service, or what stands before it, may take less at once than was thought; one document must be taken."""
    try:
        items = await calls.write(generation, [one.line for one in some])
    except TooLarge:
        if len(some) > 1:
            middle = len(some) // 2
            halves = [await _write(calls, generation, half) for half in (some[:middle], some[middle:])]
            return Written(sum(one.added for one in halves), [one for half in halves for one in half.refused])
        items = [Item(f"its document of {len(some[0].line)} bytes is too large for the service", is_new=False)]
    refused = [
        Rejected(one.document.place, item.refusal)
        for one, item in zip(some, items, strict=True)
        if item.refusal is not None
    ]
    return Written(sum(item.is_new for item in items), refused)
