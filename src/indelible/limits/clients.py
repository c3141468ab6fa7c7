"""Bounds of the Python clients."""

from typing import Final

from indelible.limits.appends import REQUEST_SIZE_BYTES_MAX
from indelible.limits.reads import HEARTBEAT_S

# --- Clients ---------------------------------------------------------------------------------------------------------

CLIENT_BATCH_APPENDS_MAX: Final = 256
"""Appends that one client sends in one POST /v1/batch."""

CLIENT_BATCH_APPENDS_MIN: Final = 16
"""Appends that wait together and are not shared out over several requests: a request costs more than they do."""

CLIENT_BATCH_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of JSON in such a request, unless one append alone has more; half of what a server takes."""

CLIENT_BATCHES_IN_FLIGHT_MAX: Final = 2
"""Such requests under way at once: one at the server, while the next is made and the answer of the last is read."""

CLIENT_APPENDS_WAITING_MAX: Final = 10_000
"""Appends that wait in one client; further callers wait in their await, which is the backpressure."""

CLIENT_TIMEOUT_S: Final = 30.0
"""One request of a client. A server that is alive answers in far less."""

CLIENT_CONNECT_TIMEOUT_S: Final = 5.0
"""For a TCP connection to come about; so an address that swallows packets does not use up the whole time-out."""

CLIENT_SILENCE_MAX_S: Final = 3 * HEARTBEAT_S
"""How long a subscription may say nothing before the client connects anew: some heartbeats."""

CLIENT_GIVE_BACK_TIMEOUT_S: Final = 5.0
"""How long a consumer that leaves tries to give back what it has not begun. Beyond it the group's time-out does so."""

CLIENT_GIVE_BACK_DELAY_S: Final = 0.25
"""Before that is delivered again. The server may learn later that the consumer's own pull, which waits, has ended."""

CLIENT_RETRY_TOTAL_MAX_S: Final = 60.0
"""A retry is always safe (the event ids are the client's), so a client rides over a restart of the server."""

CLIENT_RETRY_ATTEMPTS_MAX: Final = 32
"""More than fit into the total with the growing waits; ends the loop whatever the clock does."""

CLIENT_RETRY_WAIT_MAX_S: Final = 5.0
"""Between two attempts, unless the server asks for more; so a server that is back is found soon."""

CLIENT_MESSAGE_SIZE_BYTES_MAX: Final = 2 * REQUEST_SIZE_BYTES_MAX
"""Of one answer over gRPC. The largest, a snapshot with a page of events, is shorter."""

BENCH_SILENCE_MAX_S: Final = 10.0
"""How long a measurement goes on while nothing succeeds. A server that is restarted is back by then."""
