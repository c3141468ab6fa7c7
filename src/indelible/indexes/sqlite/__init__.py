"""The embedded query index: files of SQLite beside the store."""

from indelible.indexes.sqlite.index import ReadOnlySqliteIndex, SqliteIndex

__all__ = ["ReadOnlySqliteIndex", "SqliteIndex"]
