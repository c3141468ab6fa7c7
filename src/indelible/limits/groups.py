"""Bounds of consumer groups."""

from typing import Final

# --- Consumer groups -------------------------------------------------------------------------------------------------

GROUP_QUERY_KEPT_S: Final = 5.0
"""How long it is taken as known which events a group is for, before its members are let in by it once more. It changes
only when a group is deleted and made anew, and what is delivered is looked at all the same."""

GROUPS_MAX: Final = 256
"""Groups in one store. Each is listed whole, and measured whenever metrics are asked for."""

GROUP_ACK_TIMEOUT_DEFAULT_S: Final = 30.0
GROUP_ACK_TIMEOUT_MIN_S: Final = 0.1
"""Shorter, an acknowledgement could hardly come in time."""

GROUP_ACK_TIMEOUT_MAX_S: Final = 12 * 3600.0
"""A member that needs longer extends; one that died must not hold an aggregate for days."""

GROUP_ATTEMPTS_DEFAULT: Final = 5
GROUP_ATTEMPTS_MAX: Final = 1_000
"""Deliveries of one event. A group that is to try for ever has its parked events redriven."""

GROUP_IN_FLIGHT_DEFAULT: Final = 1_000
GROUP_IN_FLIGHT_MAX: Final = 10_000
"""Events that are with members at once. Each is a row that is written, and memory of the server."""

GROUP_AGGREGATES_MAX: Final = 20_000
"""Aggregates of one group with an event that is not done, the parked ones aside. At this many the log is not read on
until some are done: what members put off for long must not grow for ever."""

GROUP_PARKED_AGGREGATES_MAX: Final = 10_000
"""Parked aggregates of one group. With so many it is the consumer that is broken, not its events: the group stalls."""

GROUP_PULL_DEFAULT: Final = 100
GROUP_PULL_MAX: Final = 1_000
"""Events in one pull; they are in memory together."""

GROUP_PULL_SIZE_BYTES_MAX: Final = 2 * 1024 * 1024
"""Bytes of events in one pull, unless the first alone has more. Many gRPC clients take no message above 4 MiB."""

GROUP_WAIT_MAX_S: Final = 30.0
"""The longest wait of one pull; below the 60 s after which proxies close a silent connection."""

GROUP_SETTLE_MAX: Final = 1_000
"""Delivery ids, or positions of parked events, in one call."""

GROUP_NACK_DELAY_MAX_S: Final = 24 * 3600.0
"""The longest delay before an event is delivered again; it holds up its aggregate as long."""

GROUP_REASON_LENGTH_MAX: Final = 1_000
"""Characters of why an event was refused or skipped. An error's message, not its whole trace."""

GROUP_CALLS_WAITING_MAX: Final = 1_024
"""Pulls, and as many other calls, that wait for one group; beyond it callers get 503."""

GROUP_PAGES_AT_ONCE_MAX: Final = 8
"""Pages of the log that are read between two saves of a group, so that acknowledgements need not wait for more."""

GROUP_EVENTS_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Events that all groups of a server together keep in memory because they were read and not yet delivered, or may be
delivered again, by a high estimate of what each takes. Others are read again."""

GROUP_IDLE_S: Final = 10.0
"""How long a server remembers a group that nobody asks anything of; then all it knows is what is stored."""

GROUPS_IDLE_PLACES_MAX: Final = 20_000
"""Events that such groups of one server know of together: some 16 MB. Beyond it the longest idle ones are forgotten."""

GROUP_NEXT_EVENTS_MAX: Final = 64
"""Events of one aggregate, behind the one that is not done, whose places a group remembers; others are looked up."""

GROUP_COMMANDS_MAX: Final = 256
"""Commands that ``indelible group consume`` runs at once: each is a process, and a pull that waits."""

GROUP_PLACES_MAX: Final = 200_000
"""Such places of all its aggregates together: some 20 MB. Beyond it the next event is looked up each time."""

GROUP_POLL_S: Final = 0.2
"""How often a group that has nothing to give looks for what other servers did: any acknowledgement frees one."""

GROUP_IDLE_POLL_S: Final = 2.0
"""The same while nothing is with members: only what people decide, such as a redrive, is then found this way."""

GROUP_SAVE_PAUSE_S: Final = 0.008
"""Between two saves of a group by one of several servers, on average, or twice what a load takes where that is more:
time for another to load, decide and save. Without it the one that is ahead would always be first."""
