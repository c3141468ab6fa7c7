"""The query indexes of this package by their URLs: what its entry points of the group ``indelible.indexes`` name.

Each loads its backend only when it is called: nobody needs the packages of one that is not used.
"""

import os
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlencode

from indelible.errors import InvalidRequest
from indelible.indexes.index import QueryIndex
from indelible.store_urls import STORE_SCHEMA_DEFAULT, load_index_maker, scheme_of


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


def default_index_url(store_url: str) -> str | None:
    """Where a server has the index that is told no place; None for a store for which that has to be said."""
    scheme = scheme_of(store_url)
    if scheme == "sqlite":
        return f"sqlite:{path_beside(store_url.partition(':')[2])}"
    if scheme in ("postgres", "postgresql"):
        return _schema_beside(store_url)
    return "memory:" if scheme == "memory" else None


def path_beside(store_path: str) -> Path:
    """Of the index beside a store's database file."""
    return Path(f"{os.path.realpath(store_path)}-search")


def _schema_beside(store_url: str) -> str:
    """The same database, and a schema that is named after the store's."""
    database, _, query = store_url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    # Of the store alone: it tells whether a database that may lose what it acknowledged is taken.
    options.pop("synchronous_commit", None)
    options["schema"] = f"{options.get('schema', STORE_SCHEMA_DEFAULT)}_search"
    return f"{database}?{urlencode(options)}"


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


def make_postgres(url: str) -> QueryIndex:
    """``postgresql://…`` is a schema of a database, which only the index uses."""
    try:
        from indelible.indexes.postgres import PostgresIndex  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("postgres", error, pointer="/index/store") from None
    return PostgresIndex(url)


def make_opensearch(url: str) -> QueryIndex:
    """``opensearch://HOST:PORT/PREFIX``, see :class:`indelible.indexes.opensearch.address.Address`."""
    try:
        from indelible.indexes.opensearch.opensearch_client import OpenSearchClient  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("opensearch", error, pointer="/index/store") from None
    from indelible.indexes.opensearch.index import OpenSearchIndex  # noqa: PLC0415 - see above

    return OpenSearchIndex.of(url, OpenSearchClient)


def make_elasticsearch(url: str) -> QueryIndex:
    """``elasticsearch://HOST:PORT/PREFIX``, likewise."""
    try:
        from indelible.indexes.opensearch.elasticsearch_client import ElasticsearchClient  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("elasticsearch", error, pointer="/index/store") from None
    from indelible.indexes.opensearch.index import OpenSearchIndex  # noqa: PLC0415 - see above

    return OpenSearchIndex.of(url, ElasticsearchClient)


def make_dynamodb(url: str) -> QueryIndex:
    """``dynamodb://REGION/TABLE?endpoint=URL``, see :class:`indelible.indexes.dynamodb.index.DynamoIndex`."""
    try:
        from indelible.indexes.dynamodb import DynamoIndex  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("dynamodb", error, pointer="/index/store") from None
    return DynamoIndex.of(url)
