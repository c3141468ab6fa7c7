"""An event store in one SQLite file."""
