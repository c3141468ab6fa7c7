"""Bounds of relays."""

from typing import Final

# --- Relays ----------------------------------------------------------------------------------------------------------

RELAYS_MAX: Final = 64
"""Relays in one store. Each is listed whole, and its lag is looked up whenever that is asked for."""

RELAY_LEASE_MIN_S: Final = 0.2
RELAY_LEASE_S: Final = 6.0
RELAY_LEASE_MAX_S: Final = 300.0
RELAY_CLAIM_INTERVAL_S: Final = 2.0
"""How long a relay is its owner's without a word, and how often another asks for it: it takes over within 10 s."""

RELAY_SAVES_MAX: Final = 32
RELAY_SAVE_PAUSE_S: Final = 0.2
RELAY_SAVE_PAUSE_REMEMBERED_S: Final = 1.0
"""How often a change is decided anew because others came first; and between two checkpoints, each of them a commit that
appends wait for: longer where the broker itself remembers how far the relay came, so that nothing comes twice."""

RELAY_RETRY_WAIT_MIN_S: Final = 0.1
RELAY_RETRY_WAIT_MAX_S: Final = 5.0
RELAY_BROKER_TIMEOUT_S: Final = 10.0
"""Between two attempts to reach a broker, which is found soon once it is back; and for its answer to what it was sent
together."""

RELAY_SET_ASIDE_MAX: Final = 1_000
"""Events of one relay that its broker refused and that nobody has decided about. With so many it is the broker that is
set up wrongly, not its events: the relay stops. They are saved with the relay, and each save takes all along."""

RELAY_BATCH_EVENTS_MAX: Final = 512
RELAY_BATCH_SIZE_BYTES_MAX: Final = 1024 * 1024
"""What a relay reads ahead while the broker stores, and publishes next at once: enough that a transaction or a sync of
the disk counts little, and little enough that most brokers store it well within RELAY_BROKER_TIMEOUT_S."""

RELAY_AT_ONCE_EVENTS_MAX: Final = 2 * RELAY_BATCH_EVENTS_MAX
"""Events that are sent to a broker before any answer is waited for: all of a page, whose last part may be more than is
needed to fill it. A broker that takes long for them is given fewer."""

RELAY_GATHER_S: Final = 0.02
"""What comes so soon after the last is read and published together. Each time costs the broker a sync of a disk that
may be the store's too, and processor time on both sides; and an event waits for this no longer than it takes to be
received."""

RELAY_FOREIGN_MESSAGES_MAX: Final = 1_000
"""Others' messages behind the last one of a relay that are looked through for it, one question to the broker each."""

RELAY_HEARTBEAT_S: Final = 2
RELAY_LOCK_WAIT_S: Final = 8.0
RELAY_LOCK_RETRY_S: Final = 0.2
"""Where a connection is a relay's lock: a broker drops one that has been silent for two to three of these (whole
seconds), and who waits for the lock waits longer, all within RELAY_BROKER_TIMEOUT_S; and between two attempts."""

RELAY_ROUTES_MAX: Final = 10_000
"""Routing keys that a connection has seen delivered, and need not be tried alone: some hundred bytes each."""

RELAY_CAREFUL_MESSAGES: Final = 1_000
"""How many are sent one at a time once a broker has refused one for the moment: a full queue stays so for a while."""
