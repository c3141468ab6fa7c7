"""The query indexes of this package by their URLs: what its entry points of the group ``indelible.indexes`` name.

Each loads its backend only when it is called: nobody needs the packages of one that is not used.
"""

from pathlib import Path
from typing import Protocol

from indelible.errors import InvalidRequest
from indelible.indexes.index import QueryIndex
from indelible.store_urls import load_index_maker


class IndexMaker(Protocol):
    """What an entry point of the group ``indelible.indexes`` names; the entry point's own name is the URL's scheme."""

    def __call__(self, url: str) -> QueryIndex:
        """The index that a URL of this scheme names, not opened yet. Raises ``InvalidRequest`` with the pointer
        ``/index/store`` for a URL that names nothing, and where a package is missing: then with what to install."""
        ...


def make_index(url: str) -> QueryIndex:
    """The index that ``url`` names, not opened yet. Raises ``InvalidRequest``."""
    make: IndexMaker = load_index_maker(url)
    return make(url)


def make_memory(url: str) -> QueryIndex:
    """``memory:`` is made anew from the log whenever its process starts."""
    from indelible.indexes.memory import MemoryIndex  # noqa: PLC0415 - see above

    if url.lower() != "memory:":
        raise InvalidRequest('is just "memory:": it belongs to its process', pointer="/index/store")
    return MemoryIndex()


def make_sqlite(url: str) -> QueryIndex:
    """``sqlite:PATH`` is the database file PATH; it is created when it does not exist."""
    from indelible.indexes.sqlite import SqliteIndex  # noqa: PLC0415 - see above

    rest = url.partition(":")[2]
    if not rest:
        raise InvalidRequest('needs a file, such as "sqlite:data/search.db"', pointer="/index/store")
    path = Path(rest)
    if path.is_dir():
        raise InvalidRequest(f"{path} is a directory; name a file in it", pointer="/index/store")
    return SqliteIndex(path)


def make_dynamodb(url: str) -> QueryIndex:
    """``dynamodb://REGION/TABLE?endpoint=URL``, see :class:`indelible.indexes.dynamodb.index.DynamoIndex`."""
    try:
        from indelible.indexes.dynamodb import DynamoIndex  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("dynamodb", error, pointer="/index/store") from None
    return DynamoIndex.of(url)
