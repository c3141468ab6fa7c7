"""Read models in the application's own database, kept up to date from the log, each with its checkpoint beside it.

Drivers have modules of their own, which need them: :mod:`indelible.projections.asyncpg`,
:mod:`indelible.projections.psycopg`, :mod:`indelible.projections.sqlalchemy` and :mod:`indelible.projections.sqlite`.
"""

from indelible.projections.checkpoints import Checkpoint, table_statements
from indelible.projections.database import Database, DatabaseUnavailable
from indelible.projections.failures import CheckpointMismatch, HandlerFailed, ProjectionStopped, VersionDropped
from indelible.projections.projection import Projection
from indelible.projections.read_model import ReadModel

__all__ = [
    "Checkpoint", "CheckpointMismatch", "Database", "DatabaseUnavailable", "HandlerFailed", "Projection",
    "ProjectionStopped", "ReadModel", "VersionDropped", "table_statements",
]  # fmt: skip
