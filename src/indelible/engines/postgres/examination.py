"""What a store in PostgreSQL stands on: the database's settings, its connections, its clock."""

import time
from collections.abc import Iterator
from typing import Final, LiteralString

from indelible.diagnostics import Finding
from indelible.limits import CLOCK_AHEAD_S_MAX, DATABASE_CONNECTIONS_SHARE_MAX
from indelible.postgres_connections import Connection

WAITS_FOR_NOBODY: Final = (
    "commits wait for no standby, as synchronous_commit is local: a failover may lose acknowledged events"
)

_DURABILITY = {
    "fsync": "Set it to on: a power cut may destroy the whole database, not only the last events.",
    "full_page_writes": "Set it to on, unless the file system writes pages whole: a power cut may tear them.",
}


async def examine(connection: Connection, settings: LiteralString, *, may_lose_commits: bool) -> list[Finding]:
    """``settings``: the statement of this name."""
    row = await (await connection.execute(settings)).fetchone()
    assert row is not None
    fsync, full_page_writes, synchronous_commit, connections_max, connections, now_s, waited_for, standbys = row
    found = [_durability(name, value) for name, value in zip(_DURABILITY, (fsync, full_page_writes), strict=True)]
    found.append(_synchronous_commit(synchronous_commit, asked_for=may_lose_commits))
    found.append(_connections(connections, connections_max))
    if synchronous_commit != "off":
        found += _standbys(waited_for, standbys, synchronous_commit)
    return [*found, *_clock(now_s - time.time())]


def _durability(name: str, value: str) -> Finding:
    if value == "on":
        return Finding("database", "ok", f"{name} is on")
    return Finding("database", "problem", f"the database's {name} is {value}", _DURABILITY[name])


def _synchronous_commit(value: str, *, asked_for: bool) -> Finding:
    if asked_for:
        advice = "Take synchronous_commit=off out of the store's URL, unless that is meant so."
        return Finding("database", "notice", "a crash of the database may lose acknowledged events", advice)
    if value == "off":
        advice = "Set it to on; a server does not append to this database as it is."
        return Finding("database", "problem", "the database's synchronous_commit is off", advice)
    return Finding("database", "ok", f"synchronous_commit is {value}")


def _standbys(waited_for: str, count: int, synchronous_commit: str) -> Iterator[Finding]:
    """``waited_for`` is synchronous_standby_names, ``count`` how many follow."""
    if waited_for and synchronous_commit == "local":
        advice = "Set synchronous_commit to on, for the store's role too."
        yield Finding("database", "problem", WAITS_FOR_NOBODY, advice)
    elif waited_for and synchronous_commit == "remote_write":
        message = "a commit waits until a standby has it in memory, as synchronous_commit is remote_write"
        yield Finding("database", "notice", message, "Set it to on, and the standby has it on disk.")
    elif waited_for:
        yield Finding("database", "ok", f"a commit waits for its standbys: {waited_for}")
    elif count:
        message = "standbys follow the database, but no commit waits for one: a failover may lose acknowledged events"
        advice = "Set synchronous_standby_names, or Patroni's synchronous_mode, if one of them is to take over."
        yield Finding("database", "notice", message, advice)


def _connections(taken: int, most: int) -> Finding:
    message = f"{taken} of the database's {most} connections are taken"
    if taken > DATABASE_CONNECTIONS_SHARE_MAX * most:
        return Finding("database", "problem", message, "Raise max_connections, or put a pooler in front of it.")
    return Finding("database", "ok", message)


def _clock(ahead_s: float) -> Iterator[Finding]:
    if abs(ahead_s) > CLOCK_AHEAD_S_MAX:
        message = (
            f"the database's clock is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
        )
        yield Finding("clock", "notice", message, "Keep both by NTP: events get the database's time.")
