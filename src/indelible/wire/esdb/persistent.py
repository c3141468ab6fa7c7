"""Persistent subscriptions as clients of this wire have them: their settings, their names, and what is told of them.

A persistent subscription is a stream, or ``$all``, and the name of a group. It is kept as a consumer group of the
store, which has a name of its own: ``esdb:STREAM::GROUP`` where that is a name that can only be read in one way, and a
digest of both where it is not.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from indelible.errors import InvalidRequest
from indelible.events import check_name
from indelible.groups import GroupInfo
from indelible.limits import (
    ESDB_GROUP_LENGTH_MAX,
    GROUP_ACK_TIMEOUT_MAX_S,
    GROUP_ACK_TIMEOUT_MIN_S,
    GROUP_ATTEMPTS_MAX,
)
from indelible.wire.esdb.messages import stream_name
from indelible.wire.esdb.pb import persistent_pb2 as pb
from indelible.wire.esdb.pb import shared_pb2 as shared

ALL: Final = "$all"
"""What stands for all streams where one is named."""
START: Final = 0
END: Final = -1
SEPARATOR: Final = "::"
_READABLE: Final = "esdb:"
_DIGEST: Final = "esdb-sha256:"
_END_FROM: Final = 2**63 - 1
"""Positions from here on mean the end."""
_TICKS_PER_MS: Final = 10_000

DISPATCH_TO_SINGLE: Final = "DispatchToSingle"
STRATEGIES: Final = (DISPATCH_TO_SINGLE, "RoundRobin", "Pinned", "PinnedByCorrelation")
"""By the numbers of the first three."""


class SubscriptionSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a persistent subscription was made with, as its client said it, so that it reads the same again."""

    stream: str
    """``$all`` for all streams."""
    group: str
    created: datetime
    """When the consumer group was made that these are the settings of: one that is made later under the same name is
    another."""
    start: int = START
    """A revision of the stream, or a position in ``$all``: the first that is wanted. Or ``END``."""
    created_with_start: int | None = None
    """Where an update has said another start since."""
    filter: bytes | None = None
    """Of ``$all``: an encoded ``FilterOptions``."""
    resolve_links: bool = False
    extra_statistics: bool = False
    message_timeout_ms: int = 30_000
    max_retry_count: int = 10
    checkpoint_after_ms: int = 2_000
    min_checkpoint_count: int = 10
    max_checkpoint_count: int = 1_000
    max_subscriber_count: int = 0
    """0: as many as there are."""
    live_buffer_size: int = 500
    read_batch_size: int = 20
    history_buffer_size: int = 500
    strategy: str = "RoundRobin"

    @property
    def subscription_id(self) -> str:
        return f"{self.stream}{SEPARATOR}{self.group}"

    @property
    def group_name(self) -> str:
        return group_name_of(self.stream, self.group)

    @property
    def is_of_all(self) -> bool:
        return self.stream == ALL

    @property
    def filter_options(self) -> shared.FilterOptions | None:
        return None if self.filter is None else shared.FilterOptions.FromString(self.filter)

    @property
    def ack_timeout_s(self) -> float:
        """Within what groups can keep. Clients say 0 where there shall be no end."""
        timeout_s = self.message_timeout_ms / 1_000 or GROUP_ACK_TIMEOUT_MAX_S
        return min(max(timeout_s, GROUP_ACK_TIMEOUT_MIN_S), GROUP_ACK_TIMEOUT_MAX_S)

    @property
    def max_attempts(self) -> int:
        """The first delivery is no retry."""
        return min(self.max_retry_count + 1, GROUP_ATTEMPTS_MAX)

    @property
    def begins_at(self) -> int:
        """The start that counts: what a consumer group has begun with does not change."""
        return self.start if self.created_with_start is None else self.created_with_start

    @property
    def start_from(self) -> str:
        return shown_position(self.start) if self.is_of_all else str(self.start)


def shown_position(position: int) -> str:
    """A position in ``$all`` as clients parse it."""
    return f"C:{position}/P:{position}"


# --- Names -----------------------------------------------------------------------------------------------------------


def group_name_of(stream: str, group: str) -> str:
    """The consumer group's."""
    both = f"{stream}{SEPARATOR}{group}"
    readable = _READABLE + both
    if tuple(both.split(SEPARATOR, 1)) == (stream, group):
        try:
            return check_name(readable, "/group_name")
        except InvalidRequest:
            pass
    # Two names of any length are told apart by the length of the first.
    return _DIGEST + hashlib.sha256(f"{len(stream)} {both}".encode()).hexdigest()


def is_subscription_s(group_name: str) -> bool:
    """Whether a consumer group of this name may be that of a persistent subscription; only its settings tell."""
    return group_name.startswith((_READABLE, _DIGEST))


def named(options: pb.DeleteReq.Options | pb.GetInfoReq.Options | pb.ReplayParkedReq.Options | pb.ReadReq.Options) -> (
    tuple[str, str]
):  # fmt: skip
    """The stream and the group. Raises ``InvalidRequest``."""
    which = options.WhichOneof("stream_option")
    if which is None:
        raise InvalidRequest("must be stream_identifier or all", pointer="/options/stream_option")
    stream = ALL if which == "all" else stream_name(options.stream_identifier)
    return stream, check_subscription_group(options.group_name)


def check_subscription_group(group: str) -> str:
    if not 1 <= len(group) <= ESDB_GROUP_LENGTH_MAX:
        raise InvalidRequest(f"must be 1 to {ESDB_GROUP_LENGTH_MAX} characters long", pointer="/options/group_name")
    return group


# --- Settings --------------------------------------------------------------------------------------------------------


def settings_of(options: pb.CreateReq.Options, created: datetime) -> SubscriptionSettings:
    """Raises ``InvalidRequest``."""
    stream, start, wanted = _source(options)
    said = options.settings
    return SubscriptionSettings(
        stream=stream,
        group=check_subscription_group(options.group_name),
        created=created,
        start=start,
        filter=wanted,
        resolve_links=said.resolve_links,
        extra_statistics=said.extra_statistics,
        message_timeout_ms=_milliseconds(said, "message_timeout"),
        checkpoint_after_ms=_milliseconds(said, "checkpoint_after"),
        strategy=_strategy(said),
        **{name: _count(said, name) for name in _COUNTS},
    )


_COUNTS: Final = (
    "max_retry_count", "min_checkpoint_count", "max_checkpoint_count", "max_subscriber_count", "live_buffer_size",
    "read_batch_size", "history_buffer_size",
)  # fmt: skip


def _source(options: pb.CreateReq.Options) -> tuple[str, int, bytes | None]:
    """The stream, where to start, and the filter."""
    which = options.WhichOneof("stream_option")
    if which is None:
        return stream_name(options.stream_identifier), _place(options.settings.revision), None
    said = options.all if which == "all" else options.stream
    begins = said.WhichOneof("all_option" if which == "all" else "revision_option")
    start = END if begins == "end" else START
    if begins == "position":
        start = _place(options.all.position.commit_position)
    elif begins == "revision":
        start = _place(options.stream.revision)
    if which == "stream":
        return stream_name(options.stream.stream_identifier), start, None
    has_filter = options.all.WhichOneof("filter_option") == "filter"
    return ALL, start, options.all.filter.SerializeToString() if has_filter else None


def _place(said: int) -> int:
    return END if said >= _END_FROM else said


def _milliseconds(said: pb.Settings, name: str) -> int:
    value: int = getattr(said, f"{name}_ms")
    if said.WhichOneof(name) == f"{name}_ticks":
        value = getattr(said, f"{name}_ticks") // _TICKS_PER_MS
    return _not_negative(value, name)


def _count(said: pb.Settings, name: str) -> int:
    return _not_negative(getattr(said, name), name)


def _not_negative(value: int, name: str) -> int:
    if value < 0:
        raise InvalidRequest("must not be negative", pointer=f"/options/settings/{name}")
    return value


def _strategy(said: pb.Settings) -> str:
    name = said.consumer_strategy
    if not name and said.named_consumer_strategy < len(STRATEGIES):
        name = STRATEGIES[said.named_consumer_strategy]
    if name not in STRATEGIES:
        raise InvalidRequest(f"must be one of {', '.join(STRATEGIES)}", pointer="/options/settings/consumer_strategy")
    return name


# --- What is told of one ---------------------------------------------------------------------------------------------


def fill_info(
    message: pb.SubscriptionInfo, settings: SubscriptionSettings, info: GroupInfo, places: Mapping[str, str]
) -> None:
    """``places``: ``checkpointed`` and ``known``, as revisions of the stream or positions in ``$all``."""
    message.event_source = settings.stream
    message.group_name = settings.group
    message.status = "Live" if info.lag == 0 else "Behind"
    message.last_checkpointed_event_position = places["checkpointed"]
    message.last_known_event_position = places["known"]
    message.start_from = settings.start_from
    message.resolve_link_tos = settings.resolve_links
    message.extra_statistics = settings.extra_statistics
    message.message_timeout_milliseconds = settings.message_timeout_ms
    message.check_point_after_milliseconds = settings.checkpoint_after_ms
    message.max_retry_count = settings.max_retry_count
    message.min_check_point_count = settings.min_checkpoint_count
    message.max_check_point_count = settings.max_checkpoint_count
    message.max_subscriber_count = settings.max_subscriber_count
    message.live_buffer_size = settings.live_buffer_size
    message.read_batch_size = settings.read_batch_size
    message.buffer_size = settings.history_buffer_size
    message.named_consumer_strategy = settings.strategy
    message.read_buffer_count = info.waiting
    message.total_in_flight_messages = message.outstanding_messages_count = info.in_flight
    message.parked_message_count = info.parked_aggregates
