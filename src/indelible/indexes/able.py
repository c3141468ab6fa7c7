"""What a query index cannot do, as callers hear it: in one way, whatever backend it is."""

from indelible.errors import InvalidRequest
from indelible.indexes.index import Capabilities
from indelible.search import OWN_FIELDS, CheckedQuery, is_narrowing


def check_able(query: CheckedQuery, capabilities: Capabilities) -> None:
    """Raises ``InvalidRequest`` with the pointer of what the backend cannot answer, and what is possible."""
    if query.query and not capabilities.text:
        raise InvalidRequest("this index does not find text; give conditions on fields instead", pointer="/query")
    if not query.where or query.query or query.event_types or query.aggregate_types or query.tags or query.since:
        return
    if any(is_narrowing(one) and one.field not in capabilities.narrowing_only for one in query.where):
        return
    number, first = next((n, one) for n, one in enumerate(query.where) if one.field in capabilities.narrowing_only)
    possible = ", ".join(sorted(OWN_FIELDS.keys() - capabilities.narrowing_only))
    raise InvalidRequest(
        f"this index finds no events by {first.field}, it only narrows by it: add types, a tag, since, or a condition "
        f"on {possible} or a declared field, other than != and not exists",
        pointer=f"/where/{number}/field",
    )
