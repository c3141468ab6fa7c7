"""The errors of the store. No HTTP and no gRPC here: ``wire`` maps codes to both.

::

    IndelibleError
    ├── InvalidRequest            invalid_request       the caller sent something that is not allowed
    │   ├── PayloadTooLarge       payload_too_large     … because it is too large
    │   ├── ConditionTooCostly    condition_too_costly  … because looking at its append condition would take too long
    │   ├── SearchTooCostly       search_too_costly     … because the search takes too long
    │   └── SchemaMismatch        schema_mismatch       … because event_data does not fit the schema of its event type
    ├── Conflict                                        the request was fine, the store's state forbids it
    │   ├── VersionConflict       version_conflict      the aggregate is not at the expected version
    │   ├── EventIdConflict       event_id_conflict     an event id is taken by another event
    │   ├── ConditionFailed       condition_failed      an event matches the append condition
    │   ├── GroupExists           group_exists          a consumer group has this name, with other settings
    │   ├── RelayOwned            relay_owned           the relay is another's for now
    │   ├── RelayFenced           relay_fenced          the relay has a newer owner
    │   ├── ReplayRunning         replay_running        the relay has another replay under way
    │   └── SchemaIncompatible    schema_incompatible   a schema does not keep what the version before promises
    ├── NotFound
    │   ├── AggregateNotFound     aggregate_not_found
    │   ├── EventNotFound         event_not_found
    │   ├── SnapshotNotFound      snapshot_not_found
    │   ├── GroupNotFound         group_not_found       no consumer group has this name
    │   ├── ParkedEventNotFound   parked_event_not_found
    │   ├── RelayNotFound         relay_not_found       no relay has this name
    │   ├── SetAsideEventNotFound  set_aside_event_not_found
    │   ├── KeyNotFound           key_not_found         no key has this id
    │   ├── SchemaNotFound        schema_not_found      the event type has no schema, or no such version of it
    │   └── RouteNotFound         not_found             no such path
    ├── Unauthenticated           unauthenticated       nobody knows who asks
    ├── Forbidden                 forbidden             who asks has no grant for it
    ├── MethodNotAllowed          method_not_allowed    the path exists, the method does not
    ├── NotAcceptable             not_acceptable        the asked-for media type is not offered
    ├── UnsupportedMediaType      unsupported_media_type
    ├── Unavailable               unavailable           nothing was stored; try again later
    │   ├── Overloaded            overloaded            a queue is full
    │   ├── RateLimited           rate_limited          the principal has had as much as it may
    │   ├── ShuttingDown          shutting_down         the store takes no more work
    │   │   └── ClientClosed                            … because this process has closed its client
    │   └── StorageFull           storage_full          no space left where the store lives
    ├── SearchUnavailable         search_unavailable    this store has no query index
    ├── IndexNotReady                                   the query index cannot answer yet; ask again later
    │   ├── IndexBehind           index_behind          it has not come to the cursor that was waited for
    │   └── IndexBuilding         index_building        it is being built, and none is complete
    ├── IndexMismatch             index_mismatch        the query index was made of another log
    ├── EventNotDecoded           event_not_decoded     a program's class does not fit the event's data
    ├── OutcomeUnknown            outcome_unknown       it may be stored; ask again with the same event ids
    ├── StorageFailure            storage_failure       the storage returned an error; the store has stopped writing
    │   └── StoreCorrupted        store_corrupted       stored bytes are not what was written
    ├── StoreLocked               store_locked          another process has this store open
    └── InternalError             internal_error        a bug

Every error has a stable ``code``, a ``message`` in plain English that says what to do, and ``fields``: the values that
a program needs, with the names that REST and gRPC use too.
"""

from typing import Any, ClassVar

__all__ = [
    "AggregateNotFound", "ClientClosed", "ConditionFailed", "ConditionTooCostly", "Conflict", "EventIdConflict",
    "EventNotDecoded", "EventNotFound", "Forbidden", "GroupExists", "GroupNotFound", "IndelibleError",
    "IndexBehind", "IndexBuilding", "IndexMismatch", "IndexNotReady", "InternalError", "InvalidRequest",
    "KeyNotFound", "MethodNotAllowed", "NotAcceptable", "NotFound", "OutcomeUnknown", "Overloaded",
    "ParkedEventNotFound", "PayloadTooLarge", "RateLimited", "RelayFenced", "RelayNotFound", "RelayOwned",
    "ReplayRunning", "RouteNotFound", "SchemaIncompatible", "SchemaMismatch", "SchemaNotFound", "SearchTooCostly",
    "SearchUnavailable", "SetAsideEventNotFound", "ShuttingDown", "SnapshotNotFound", "StorageFailure",
    "StorageFull", "StoreCorrupted", "StoreLocked", "Unauthenticated", "Unavailable", "UnsupportedMediaType",
    "VersionConflict", "error_from_code",
]  # fmt: skip


class IndelibleError(Exception):
    """Base of every error that the store raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, /, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields: dict[str, Any] = fields

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        fields = "".join(f", {name}={value!r}" for name, value in self.fields.items())
        return f"{type(self).__name__}({self.message!r}{fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.fields))


def _rebuild(kind: type[IndelibleError], message: str, fields: dict[str, Any]) -> IndelibleError:
    return kind(message, **fields)


class InvalidRequest(IndelibleError):
    """The caller sent something that is not allowed. ``pointer`` is the JSON pointer (RFC 6901) of the bad field."""

    code = "invalid_request"

    def __init__(self, message: str, /, *, pointer: str = "", **fields: Any) -> None:
        super().__init__(message, pointer=pointer, **fields)

    @property
    def pointer(self) -> str:
        return str(self.fields["pointer"])

    def under(self, prefix: str) -> "InvalidRequest":
        """The same error, with its pointer below ``prefix``: for checks that see only a part of the request."""
        return type(self)(self.message, **{**self.fields, "pointer": prefix + self.pointer})

    @classmethod
    def of_extra(cls, extra: str, missing: ImportError, *, pointer: str) -> "InvalidRequest":
        """What is asked for needs packages that are not installed: those of an extra of this package."""
        return cls(f'needs more packages: pip install "indelible[{extra}]" ({missing})', pointer=pointer)


class PayloadTooLarge(InvalidRequest):
    """Something is larger than allowed. Field: size_bytes_max, or events_max where events are counted, tags_max where
    tags are, keys_max where keys are, statement_timeout_s where the database's setting allows no more."""

    code = "payload_too_large"


class ConditionTooCostly(InvalidRequest):
    """Whether an event matches the append condition cannot be told within the bound: what it asks for stands on very
    many events, but seldom together. Nothing was stored. Give a later `after`, or more selective tags. Fields:
    entries_looked_at (index entries, before it was given up), entries_looked_at_max."""

    code = "condition_too_costly"


class SearchTooCostly(InvalidRequest):
    """The search took too long, or looked at too many events. Say more of what to find: types, a tag, a shorter time,
    conditions on fields that few events fit. Field: timeout_s."""

    code = "search_too_costly"


class SchemaMismatch(InvalidRequest):
    """event_data does not fit the schema that its event type has. Nothing was stored. The pointer leads to what does
    not fit, as far as that is known. Fields: event_type, schema_version, rule (JSON pointer into the schema: what it
    does not fit; empty where that is not known)."""

    code = "schema_mismatch"


class Conflict(IndelibleError):
    """The store's state forbids what was asked for. Nothing was stored."""


class VersionConflict(Conflict):
    """The aggregate is not at the expected version. Fields: aggregate_type, aggregate_id, expected_version (an
    integer, "exists" or "none"), actual_version (0 when the aggregate does not exist)."""

    code = "version_conflict"

    @property
    def expected_version(self) -> int | str:
        value: int | str = self.fields["expected_version"]
        return value

    @property
    def actual_version(self) -> int:
        return int(self.fields["actual_version"])


class EventIdConflict(Conflict):
    """An event id is taken by an event with other content or in another aggregate, or stored and new ids are mixed in
    one append. Field: event_id (the first one that conflicts)."""

    code = "event_id_conflict"


class ConditionFailed(Conflict):
    """An event matches the append condition. Field: position (of the first such event after the cursor)."""

    code = "condition_failed"

    @property
    def position(self) -> int:
        return int(self.fields["position"])


class GroupExists(Conflict):
    """A consumer group has this name already, with another filter or other settings. Field: group."""

    code = "group_exists"


class RelayOwned(Conflict):
    """Another owns the relay. Fields: relay, owner, lease_left_s (how long, unless it renews the lease)."""

    code = "relay_owned"


class RelayFenced(Conflict):
    """The relay has had another owner since, or was reset; the caller's epoch is over, and nothing of it counts any
    more. Fields: relay, epoch (the newest)."""

    code = "relay_fenced"


class ReplayRunning(Conflict):
    """The relay publishes another range again, one at a time. Nothing was done: wait for its end, or cancel it. Fields:
    relay, replay (its name)."""

    code = "replay_running"


class SchemaIncompatible(Conflict):
    """A new schema does not keep what the event type's compatibility asks for, or nobody can tell whether it does.
    Nothing was registered. Fields: event_type, version (the one that it was compared with), broken ("backward" or
    "forward"), pointer (into the schema that refuses data of the other: the new one where "backward" is broken, the one
    before where "forward" is), is_certain (false where nobody can tell whether it does refuse any)."""

    code = "schema_incompatible"


class NotFound(IndelibleError):
    """What was asked for does not exist."""


class AggregateNotFound(NotFound):
    """The aggregate has no events. Fields: aggregate_type, aggregate_id."""

    code = "aggregate_not_found"


class EventNotFound(NotFound):
    """No event has this id. Field: event_id."""

    code = "event_not_found"


class SnapshotNotFound(NotFound):
    """The aggregate has no snapshot (not above at_version, when given). Fields: aggregate_type, aggregate_id."""

    code = "snapshot_not_found"


class GroupNotFound(NotFound):
    """No consumer group has this name. Field: group."""

    code = "group_not_found"


class ParkedEventNotFound(NotFound):
    """At this position no event of the group is parked that holds up its aggregate. Nothing was done. Fields: group,
    position (the first one)."""

    code = "parked_event_not_found"


class RelayNotFound(NotFound):
    """No relay has this name. Field: relay."""

    code = "relay_not_found"


class SetAsideEventNotFound(NotFound):
    """The relay has set aside no event at this position. Nothing was done. Fields: relay, position (the first one)."""

    code = "set_aside_event_not_found"


class KeyNotFound(NotFound):
    """No key has this id. Field: key_id."""

    code = "key_not_found"


class SchemaNotFound(NotFound):
    """The event type has no schema, or not this version of it. Fields: event_type, version (where one was asked
    for)."""

    code = "schema_not_found"


class RouteNotFound(NotFound):
    """The server has nothing at this path."""

    code = "not_found"


class Unauthenticated(IndelibleError):
    """The server has to know who asks, and the call came without credentials, or with some that it does not take.
    Nothing was done."""

    code = "unauthenticated"


class Forbidden(IndelibleError):
    """Who asks has no grant for it. Nothing was done. Fields: permission (what would have to be granted),
    aggregate_type (for which, where the caller named it)."""

    code = "forbidden"


class MethodNotAllowed(IndelibleError):
    """The path exists, but not with this method. Field: allowed (list of methods)."""

    code = "method_not_allowed"


class NotAcceptable(IndelibleError):
    """None of the media types that the caller accepts is offered here. Field: offered (list)."""

    code = "not_acceptable"


class UnsupportedMediaType(IndelibleError):
    """The body's media type is not taken here. Field: supported (list)."""

    code = "unsupported_media_type"


class Unavailable(IndelibleError):
    """Nothing was stored. Try again later, with the same event ids. Field: retry_after_s (of a server's answers).

    A server raises this very class when it cannot reach its store, and a client when it cannot reach the server or gets
    no answer to a read.
    """

    code = "unavailable"


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code = "overloaded"


class RateLimited(Unavailable):
    """The principal has had as many requests or events, connections or subscriptions, as it may have. Nothing was
    stored. Field: retry_after_s."""

    code = "rate_limited"


class ShuttingDown(Unavailable):
    """The store is stopping, or has stopped, and takes no more work."""

    code = "shutting_down"


class ClientClosed(ShuttingDown):
    """This process has closed its client of the store: no other attempt will help."""


class StorageFull(Unavailable):
    """No space is left where the store lives. Reads go on; appends work again once there is space."""

    code = "storage_full"


class SearchUnavailable(IndelibleError):
    """This store has no query index. A server has one when its configuration has a table ``[index]``."""

    code = "search_unavailable"


class IndexNotReady(IndelibleError):
    """The query index cannot answer yet. Clients do not ask again by themselves: how long it takes is not known."""


class IndexBehind(IndexNotReady):
    """The query index has not come to the cursor that was waited for, in the time that was given. Fields:
    indexed_cursor (how far it has come), lag (positions from there to the head), retry_after_s."""

    code = "index_behind"


class IndexBuilding(IndexNotReady):
    """The query index is being built, and none is complete yet. Fields: documents (about how many it holds), lag
    (positions that are to be indexed), retry_after_s."""

    code = "index_building"


class IndexMismatch(IndelibleError):
    """The query index holds an event that the log does not have, or has come to where the log never was: it was made of
    another log, or the log was restored from a backup. It has to be built anew: ``indelible index rebuild``; a server
    that keeps it does so by itself when it starts. Field: event_id, where it is one event."""

    code = "index_mismatch"


class EventNotDecoded(IndelibleError):
    """An event's data is not what the reading program's class for its type says, or one of the program's upcasters
    raised; the program's own, no server raises it. Mend the class or the upcasters; the event is as it was appended.
    Fields: position, event_type, schema_version (0 where that cannot be told), pointer (of what does not fit),
    aggregate_type, aggregate_id, version."""

    code = "event_not_decoded"


class OutcomeUnknown(IndelibleError):
    """What was asked for may or may not be done. An append is sent again with the same event ids to find out, which
    never doubles; of anything else, look."""

    code = "outcome_unknown"


class StorageFailure(IndelibleError):
    """The storage returned an error. The store has stopped writing, to lose nothing that it acknowledged. Fields, where
    known: nothing_stored (true: the write that failed is not stored, false: it may be), gone ("database" or "log": the
    file that a name no longer leads to)."""

    code = "storage_failure"


class StoreCorrupted(StorageFailure):
    """Stored bytes are not what was written. Field: position (the first event that is wrong, when known)."""

    code = "store_corrupted"


class StoreLocked(IndelibleError):
    """Another process has this store open for writing. Field: owner (what is known of it)."""

    code = "store_locked"


class InternalError(IndelibleError):
    """A bug in Indelible. The server's log has the details."""

    code = "internal_error"


def _tree(kind: type[IndelibleError]) -> list[type[IndelibleError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _tree(child))]


_BY_CODE = {kind.code: kind for kind in _tree(IndelibleError) if "code" in vars(kind)}


def error_from_code(code: str, message: str, fields: dict[str, Any]) -> IndelibleError:
    """The error that a code stands for; unknown codes (of a newer server) become a plain :class:`IndelibleError`."""
    return _BY_CODE.get(code, IndelibleError)(message, **fields)
