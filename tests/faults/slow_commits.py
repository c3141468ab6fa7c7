"""Holds up the commits of a PostgreSQL store, so that what is wrong between statement and commit has time to happen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_FUNCTION = Path(__file__).with_suffix(".sql")


@asynccontextmanager
async def slow_commits(url: str, delay_max_s: float) -> AsyncIterator[None]:
    """Each transaction that advances the head sleeps before it commits: a random time up to ``delay_max_s``, holding
    its locks. ``url`` must be of a superuser, or of the tables' owner."""
    import psycopg  # only where there is PostgreSQL

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(_FUNCTION.read_bytes())
        await connection.execute("DROP TRIGGER IF EXISTS sleep_before_commit ON indelible.heads")
        await connection.execute(
            f"CREATE CONSTRAINT TRIGGER sleep_before_commit AFTER UPDATE ON indelible.heads "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
            f"EXECUTE FUNCTION public.sleep_before_commit('{delay_max_s:.6f}')"
        )
        try:
            yield
        finally:
            await connection.execute("DROP TRIGGER sleep_before_commit ON indelible.heads")
