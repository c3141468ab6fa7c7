"""Bounds of a server, whatever the API."""

from typing import Final

from indelible.limits.appends import REQUEST_SIZE_BYTES_MAX

# --- Server ----------------------------------------------------------------------------------------------------------

CONNECTIONS_MAX: Final = 4_096
"""Open connections of one port. One more takes the place of those whose callers have been silent the longest; where
none is, it gets 503. Below the usual limit of file descriptors."""

CONNECTIONS_GIVING_WAY_MAX: Final = 64
"""Silent connections that are closed at once when there is no room: to find them, all are looked at."""

PRINCIPALS_KEPT_MAX: Final = 1_024
"""Principals whose store is kept ready. It takes microseconds to make one anew."""

CONNECTIONS_WAITING_MAX: Final = 2_048
"""Connections that the kernel holds until the server accepts them; covers a burst while the event loop is busy."""

HEADER_SIZE_BYTES_MAX: Final = 32 * 1024
"""Request line and headers together, and what goes with a chunked body beside it: extensions of chunks and trailers."""

CHUNKS_AT_ONCE_MAX: Final = 4_096
"""Chunks of one body that are taken in one turn of the event loop: some milliseconds, however small they are."""

UNREAD_SIZE_BYTES_MAX: Final = 64 * 1024
"""What has come on one connection and waits: of a body, for its handler; of further requests, for the answers before
theirs. Beyond it the connection is not read, which is its backpressure."""

LARGE_ANSWERS_SIZE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Whole answers over HTTP, above two pieces of a stream each, that readers have yet to take: half of it for connections
that have taken one before. As much may wait for that room; more get 503."""

LARGE_ANSWER_STALLED_S: Final = 5.0
"""How long a reader may leave one lying while others wait for room: time for the largest page at 3 Mbit/s."""

ERROR_TEXT_SIZE_BYTES_MAX: Final = 1_024
"""A text in an error's answer, such as its message or pointer, which may have a caller's own megabytes in it. The
longest name fits, of 255 characters."""

LINK_SIZE_BYTES_MAX: Final = 4 * 1024
"""The header with the address of the next page. Many clients take no line of a head above 8 KiB."""

KEEP_ALIVE_S: Final = 75
"""How long an idle connection stays open; above the 60 s of load balancers, so that they close first."""

HEAD_S: Final = 20.0
"""How long the head of a request may take to come whole after its first bytes. Clients send it at once."""

BODY_S: Final = 60.0
"""How long its body may take after it: time for the largest over a link of 3 Mbit/s."""

TLS_HANDSHAKE_S: Final = 10.0
"""How long a caller may take for a TLS handshake; some round trips."""

TLS_HANDSHAKES_MAX: Final = 512
"""Handshakes under way at once. One more takes the place of the longest: an honest one takes some round trips."""

TLS_SHUTDOWN_S: Final = 2.0
"""How long the end of a TLS connection waits for the caller's word that it has heard of it."""

TLS_FILES_LOOK_S: Final = 2.0
"""How often the server looks whether the files of its certificate have changed."""

ACCEPTED_AT_ONCE_MAX: Final = 16
"""Connections that are accepted for TLS in one turn of the event loop: the handshake of each takes about 1 ms."""

ACCEPT_AGAIN_S: Final = 0.5
"""Before a server that had no room for one more open file accepts again."""

PRINCIPALS_COUNTED_MAX: Final = 4_096
"""Principals, or remote addresses, whose requests are counted at once. Those that have been silent are forgotten."""

DISCARDED_BODY_SIZE_BYTES_MAX: Final = 4 * REQUEST_SIZE_BYTES_MAX
"""How much of a refused request is read and thrown away, so that its sender gets to read why it was refused."""

DISCARDED_BODY_TIMEOUT_S: Final = 10
"""How long that may take."""

SHUTDOWN_GRACE_S: Final = 20
"""How long a stopping server waits for what is in flight. Below the 30 s after which Kubernetes kills."""

SHUTDOWN_STALLED_S: Final = 1.0
"""How long a stopping server waits for a reader that takes nothing of what lies ready for it. Shorter than the grace: a
subscriber that hangs must not use up the time of all others."""

READY_PROOF_S: Final = 1.0
"""How long an append that was stored proves that others can be. Beyond it /readyz tries the way that they take."""

READY_TRIAL_SIZE_BYTES: Final = 64 * 1024
"""What such a trial writes at the least, without storing it: more than a small append needs."""

READY_TRIAL_LOCK_TIMEOUT_S: Final = 0.6
"""How long it waits for other writers to a database; below what the probe itself waits for its answer."""

STORE_ANSWER_TIMEOUT_S: Final = 0.8
"""How long /readyz and /metrics wait for the store; below the 1 s that Kubernetes waits, so that a probe learns why."""

WORKERS_MAX: Final = 64
"""Worker processes of one server. Each takes memory and connections; more than there are cores gain nothing."""

WORKER_RESTART_WAIT_MIN_S: Final = 0.1
"""Before a worker that died is replaced; doubled each time while its successors die soon after they start."""

WORKER_RESTART_WAIT_MAX_S: Final = 5.0
"""The longest such wait; and how long a worker must have lived for the waits to begin anew."""

WORKER_KILL_AFTER_S: Final = 5.0
"""Beyond the grace of a stop, before a worker that does not end is killed: what is answered still has to be closed."""

WORKER_METRICS_TIMEOUT_S: Final = 4.0
"""How long a worker waits for the others' metrics; above their wait for the store, below Prometheus' 10 s."""

BACKGROUND_RESTART_WAIT_MIN_S: Final = 0.5
"""Before a part that runs beside the requests and has failed is started again; doubled each time that it fails soon."""

BACKGROUND_RESTART_WAIT_MAX_S: Final = 30.0
"""The longest such wait; and how long a part must have run for the waits to begin anew."""

BACKGROUND_STOP_S: Final = 2.0
"""How long a server that stops waits for these parts, after its grace for callers: what they do is done again from
their checkpoints. The store is closed after it, and before a worker would be killed."""
