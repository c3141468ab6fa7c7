"""The audit log: what its events are, for the server that writes them and for whoever reads them."""

from typing import Final

from indelible.queries import EventQuery

AUDIT_AGGREGATE_TYPE: Final = "$audit"
"""Of its events: one aggregate a day, by its date in UTC."""
AUDIT_QUERY: Final = EventQuery.of(aggregate_types=(AUDIT_AGGREGATE_TYPE,))

AUTHENTICATION_FAILED: Final = "AuthenticationFailed"
"""Data: reason, address, key_id (where a key was named), times."""
ADMINISTERED: Final = "Administered"
"""Data: principal, address, operation, asked (its parameters), outcome ("done", or the code of its error)."""
EXPORTED: Final = "Exported"
"""A stream of the feed was begun. Data: principal, address, operation, asked, times."""
ENTRIES_LOST: Final = "AuditEntriesLost"
"""Data: entries, how many did not come into the log, because it did not take them for long."""
