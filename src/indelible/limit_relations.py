"""What the bounds of :mod:`indelible.limits` are to one another."""

from collections.abc import Mapping
from typing import Any


def check_together(limits: Mapping[str, Any]) -> None:
    """Raises ``ValueError`` for limits, by name, that depend on one another and do not go together."""
    # At most, how many times, and why.
    for smaller, times, larger, reason in (
        ("METADATA_SIZE_BYTES_MAX", 1, "EVENT_SIZE_BYTES_MAX", "metadata is a part of the event"),
        ("EVENT_SIZE_BYTES_MAX", 2, "REQUEST_SIZE_BYTES_MAX", "an event may come as base64, with names and tags"),
        ("EVENT_SIZE_BYTES_MAX", 1, "PAGE_SIZE_BYTES_MAX", "a page holds at least one event"),
        ("EVENT_SIZE_BYTES_MAX", 1, "QUEUE_TURN_SIZE_BYTES_MAX", "a turn holds at least one event"),
        ("EVENT_SIZE_BYTES_MAX", 1, "SMALL_APPEND_SIZE_BYTES_MAX", "one event cannot be appended in parts"),
        ("EVENT_SIZE_BYTES_MAX", 1, "RECORDED_SIZE_BYTES_MAX", "such a lot holds at least one event"),
        ("EVENT_SIZE_BYTES_MAX", 1, "GROUP_PULL_SIZE_BYTES_MAX", "a pull holds at least one event"),
        ("GROUP_PULL_SIZE_BYTES_MAX", 1, "GROUP_EVENTS_SIZE_BYTES_MAX", "what is pulled is in the group's memory"),
        ("SNAPSHOT_SIZE_BYTES_MAX", 2, "REQUEST_SIZE_BYTES_MAX", "a snapshot comes in one request"),
        ("REQUEST_SIZE_BYTES_MAX", 2, "BODIES_SIZE_BYTES_MAX", "one request must not keep all others out"),
        ("REQUEST_SIZE_BYTES_MAX", 2, "QUEUE_SIZE_BYTES_MAX", "one call must not fill the queue"),
        ("REQUEST_EVENTS_MAX", 2, "QUEUE_REQUESTS_MAX", "one call must not fill the queue"),
        ("QUEUE_TURN_EVENTS_MAX", 2, "BATCH_EVENTS_MAX", "others come with a call's turn"),
        ("QUEUE_TURN_SIZE_BYTES_MAX", 2, "BATCH_SIZE_BYTES_MAX", "others come with a call's turn"),
        ("TAGS_PER_EVENT_MAX", 1, "REQUEST_TAGS_MAX", "one event is a request"),
        ("REQUEST_TAGS_MAX", 2, "GRPC_FIELDS_MAX", "a tag is a field"),
        ("CLIENT_BATCH_APPENDS_MIN", 1, "CLIENT_BATCH_APPENDS_MAX", "it is the least of what is at most that"),
        ("CLIENT_BATCH_APPENDS_MAX", 1, "QUEUE_TURN_EVENTS_MAX", "a client's batch goes into one commit"),
        ("CLIENT_BATCH_SIZE_BYTES_MAX", 1, "REQUEST_SIZE_BYTES_MAX", "a client's batch is one request"),
        ("REQUEST_SIZE_BYTES_MAX", 1, "CLIENT_MESSAGE_SIZE_BYTES_MAX", "what was sent comes back"),
        ("PAGE_EVENTS_DEFAULT", 1, "PAGE_EVENTS_MAX", "a default is allowed"),
        ("PAGE_EVENTS_MAX", 1, "PAGE_SCAN_EVENTS_MAX", "a page that matches everything is full"),
        ("SUBSCRIPTION_PAGE_EVENTS_MAX", 1, "PAGE_EVENTS_MAX", "it is a page too"),
        ("SUBSCRIPTION_PAGE_EVENTS_MAX", 1, "INDEX_BATCH_EVENTS_MAX", "what is indexed in one step is whole pages"),
        ("INDEX_BATCH_EVENTS_MAX", 1, "PAGE_EVENTS_MAX", "an index that is built reads no more at once"),
        ("SEARCH_VALUES_MAX", 1, "SEARCH_VALUES_TOGETHER_MAX", "one condition is a search"),
        ("SEARCH_VALUES_TOGETHER_MAX", 3, "SEARCH_WHERE_PARTS_MAX", "a value is a string and a comma"),
        ("SEARCH_WAIT_S", 1, "SEARCH_WAIT_MAX_S", "a default is allowed"),
        ("INDEX_RETRY_WAIT_MIN_S", 1, "INDEX_RETRY_WAIT_MAX_S", "waits grow from one to the other"),
        ("GROUP_PULL_DEFAULT", 1, "GROUP_PULL_MAX", "a default is allowed"),
        ("GROUP_IN_FLIGHT_DEFAULT", 1, "GROUP_IN_FLIGHT_MAX", "a default is allowed"),
        ("GROUP_ATTEMPTS_DEFAULT", 1, "GROUP_ATTEMPTS_MAX", "a default is allowed"),
        ("GROUP_ACK_TIMEOUT_MIN_S", 1, "GROUP_ACK_TIMEOUT_DEFAULT_S", "a default is allowed"),
        ("GROUP_ACK_TIMEOUT_DEFAULT_S", 1, "GROUP_ACK_TIMEOUT_MAX_S", "a default is allowed"),
        ("DATABASE_LOCK_TIMEOUT_S", 1, "DATABASE_TIMEOUT_S", "a wait for a lock must end with a definite answer"),
        ("DATABASE_TIMEOUT_S", 1, "DATABASE_RETRY_TOTAL_S", "one attempt is not more than all"),
        ("DATABASE_CONFIRM_TIMEOUT_S", 2, "DATABASE_TIMEOUT_S", "a read has time for another host"),
        ("HEARTBEAT_S", 2, "CLIENT_SILENCE_MAX_S", "one late heartbeat is not a dead server"),
        ("BACKGROUND_RESTART_WAIT_MIN_S", 1, "BACKGROUND_RESTART_WAIT_MAX_S", "waits grow from one to the other"),
        ("SUPERVISOR_WAIT_MIN_S", 1, "SUPERVISOR_WAIT_MAX_S", "waits grow from one to the other"),
        ("HANDLER_DELAY_DEFAULT_S", 1, "HANDLER_DELAY_MAX_S", "delays grow from one to the other"),
        ("WORKER_RESTART_WAIT_MIN_S", 1, "WORKER_RESTART_WAIT_MAX_S", "waits grow from one to the other"),
        ("BACKGROUND_STOP_S", 2, "WORKER_KILL_AFTER_S", "the store has to be closed within that too"),
        ("TRACE_STOP_S", 2, "WORKER_KILL_AFTER_S", "the store has to be closed within that too"),
        ("SHUTDOWN_STALLED_S", 1, "SHUTDOWN_GRACE_S", "it is a part of the grace"),
        ("STORE_ANSWER_TIMEOUT_S", 1, "WORKER_METRICS_TIMEOUT_S", "workers wait for the store before they answer"),
    ):
        if limits[smaller] * times > limits[larger]:
            fold = "" if times == 1 else f"{times} times "
            raise ValueError(f"{fold}{smaller} ({limits[smaller]}) is more than {larger} ({limits[larger]}): {reason}")
