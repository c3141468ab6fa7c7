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

HANDLER_DELAY_DEFAULT_S: Final = 1.0
"""Before an event whose handler has failed is delivered again, unless told otherwise; twice as long each further time.
What the handler needs may be away, and all its attempts must not be used up at once."""

HANDLER_DELAY_MAX_S: Final = 60.0
"""The longest such delay: the event's aggregate waits as long."""

SUPERVISOR_WAIT_MIN_S: Final = 0.5
"""Before a task that has failed is started again; doubled each time that it fails soon."""

SUPERVISOR_WAIT_MAX_S: Final = 30.0
"""The longest such wait; and how long a task must have run for the waits to begin anew."""

CLIENT_RETRY_TOTAL_MAX_S: Final = 10.0
"""Of a call, unless the client is made with another. Whoever waits for it waits no longer, and is told what may have
happened. Subscriptions and consumers, for which nobody waits, go on for ever."""

CLIENT_RETRY_WAIT_MAX_S: Final = 5.0
"""Between two attempts, unless the server asks for more; so a server that is back is found soon."""

CLIENT_MESSAGE_SIZE_BYTES_MAX: Final = 2 * REQUEST_SIZE_BYTES_MAX
"""Of one answer over gRPC. The largest, a snapshot with a page of events, is shorter."""

CONTEXT_NAME_LENGTH_MAX: Final = 64
"""Characters in the name of a context of the command line: people type it, and tables show it."""

COMPLETION_TIMEOUT_S: Final = 1.0
"""How long a shell that completes a word waits for what a server knows. People type on rather than wait."""

COMPLETIONS_MAX: Final = 200
"""Names that a shell is given for one word: more than anybody reads."""

BENCH_SILENCE_MAX_S: Final = 10.0
"""How long a measurement goes on while nothing succeeds. A server that is restarted is back by then."""

# --- Projections -----------------------------------------------------------------------------------------------------

PROJECTION_RETRY_WAIT_MIN_S: Final = 0.1
PROJECTION_RETRY_WAIT_MAX_S: Final = 5.0
"""Between two attempts of a projection whose store, database or handler fails: what is back is found soon, and what
stays away is not asked all the time."""

PROJECTION_STANDBY_S: Final = 2.0
"""How long the checkpoint of a projection that another process runs has to stand still before this one tries."""

PROJECTION_VERSION_MAX: Final = 2**31 - 1
"""Of a read model: what an integer column takes in any database."""

PROJECTION_POLL_S: Final = 0.05
PROJECTION_READ_TIMEOUT_S: Final = 10.0
"""How often a process looks how far a read model has come while anybody waits for it, however many do; and how long it
waits for the answer before it asks once more, as the one that was asked may be gone without a word."""

PROJECTION_WAIT_S: Final = 5.0
PROJECTION_WAIT_MAX_S: Final = 3600.0
PROJECTION_SWAP_S: Final = 60.0
"""How long is waited for a read model to come to a cursor, unless told otherwise, and at most; and for a version to
come as far as the one whose place it takes, which goes on meanwhile."""

PROJECTION_LEAVE_S: Final = 5.0
"""How long a projection that is stopped waits for its transaction to be rolled back, before it leaves that to the
database. One that hangs must not keep a program from ending."""

PROJECTION_THREADS_MAX: Final = 16
"""Transactions at once, each in a thread, of a driver that blocks. Those of a database that hangs stay for as long as
it does."""
