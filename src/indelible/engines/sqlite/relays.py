"""Relays, as plain functions over a connection. Saving is within a transaction of the caller's."""

import apsw

from indelible.engines.relay_storage import StoredRelay, too_many_relays
from indelible.engines.rows import relay_of_row, relay_values
from indelible.engines.sqlite.connections import fetch, statement


def save(connection: apsw.Connection, relay: StoredRelay, relays_max: int) -> bool:
    values = relay_values(relay)
    if relay.revision > 1:
        return bool(fetch(connection, statement("change_relay"), values))
    count, has_name = fetch(connection, statement("count_relays"), {"name": relay.name})[0]
    if has_name:
        return False
    if count >= relays_max:
        raise too_many_relays(relays_max)
    connection.execute(statement("create_relay"), values)
    return True


def load(connection: apsw.Connection, name: str) -> StoredRelay | None:
    found = _all(connection, name)
    return found[0] if found else None


def load_all(connection: apsw.Connection) -> tuple[StoredRelay, ...]:
    return _all(connection, None)


def _all(connection: apsw.Connection, name: str | None) -> tuple[StoredRelay, ...]:
    return tuple(map(relay_of_row, fetch(connection, statement("load_relays"), {"name": name})))
