"""The query index in PostgreSQL: a schema of its own, beside a store or elsewhere."""

from indelible.indexes.postgres.index import PostgresIndex

__all__ = ["PostgresIndex"]
