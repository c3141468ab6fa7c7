"""The engines of this package by their URLs: what its entry points of the group ``indelible.engines`` name.

Each loads its engine only when it is called: nobody waits for, or needs the packages of, an engine that is not used.
"""

from pathlib import Path

from indelible.engines.engine import Engine
from indelible.errors import InvalidRequest
from indelible.store_urls import take_partitions


def make_memory(url: str, *, read_only: bool) -> Engine | tuple[Engine, ...]:
    """``memory:`` is a new, empty store; ``memory:?partitions=4`` one of four partitions."""
    from indelible.engines.memory import MemoryEngine  # noqa: PLC0415 - see above

    url, partitions = take_partitions(url)
    if url.lower() != "memory:" or read_only:
        raise InvalidRequest('is just "memory:", and never read-only: it belongs to its process', pointer="/store")
    return MemoryEngine() if partitions == 1 else tuple([MemoryEngine() for _ in range(partitions)])


def make_sqlite(url: str, *, read_only: bool) -> Engine:
    """``sqlite:PATH`` is the database file PATH; it is created when it does not exist, unless ``read_only``."""
    from indelible.engines.sqlite.engine import SqliteEngine  # noqa: PLC0415 - see above

    rest = url.partition(":")[2]
    if not rest:
        raise InvalidRequest('needs a file, such as "sqlite:data/indelible.db"', pointer="/store")
    path = Path(rest)
    if path.is_dir():
        within = path / "indelible.db"
        raise InvalidRequest(f"{path} is a directory; name a file in it: sqlite:{within}", pointer="/store")
    if take_partitions(url)[0] != url and not path.exists():
        message = (
            "an SQLite file is one partition; a store of several is several files, their URLs with a space between"
        )
        raise InvalidRequest(message, pointer="/store")
    if read_only and not path.exists():
        raise InvalidRequest(f"there is no store at {path}", pointer="/store")
    return SqliteEngine(path, read_only=read_only)


def make_postgres(url: str, *, read_only: bool) -> Engine | tuple[Engine, ...]:
    """``postgresql://…`` is a schema of a database, see ``parse_address`` in
    :mod:`indelible.engines.postgres.connections`; with ``partitions=P`` so many schemas of it."""
    try:
        from indelible.engines.postgres.connections import partition_urls  # noqa: PLC0415 - see above
        from indelible.engines.postgres.engine import PostgresEngine  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("postgres", error, pointer="/store") from None
    url, partitions = take_partitions(url)
    if partitions == 1:
        return PostgresEngine(url, read_only=read_only)
    first = PostgresEngine(url, read_only=read_only)
    others = partition_urls(url, partitions)[1:]
    return (first, *(PostgresEngine(one, read_only=read_only, readers=first.readers) for one in others))


def make_cassandra(url: str, *, read_only: bool) -> Engine | tuple[Engine, ...]:
    """``cassandra://…`` is a store in a keyspace, see ``parse_address`` in
    :mod:`indelible.engines.cassandra.address`; with ``partitions=P`` so many logs of it."""
    try:
        from indelible.engines.cassandra.address import parse_address  # noqa: PLC0415 - see above
        from indelible.engines.cassandra.engine import CassandraEngine  # noqa: PLC0415 - see above
    except ImportError as error:
        raise InvalidRequest.of_extra("cassandra", error, pointer="/store") from None
    url, partitions = take_partitions(url)
    address = parse_address(url)
    engines = tuple([CassandraEngine(address, number, read_only=read_only) for number in range(partitions)])
    return engines if partitions > 1 else engines[0]
