"""The embedded query index: files of SQLite beside the store."""

from indelible.indexes.sqlite.index import SqliteIndex

__all__ = ["SqliteIndex"]
