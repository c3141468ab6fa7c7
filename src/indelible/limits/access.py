"""Bounds of access: keys, tokens and the audit log."""

from typing import Final

# --- Access ----------------------------------------------------------------------------------------------------------

KEYS_MAX: Final = 10_000
"""Keys that are neither revoked nor expired. Each server holds all of them in memory, some hundred bytes each."""

GRANTS_MAX: Final = 100
"""Grants of one key, token or certificate. Each is looked at for what is asked, one after the other."""

KEY_EXPIRES_MIN_S: Final = 1.0
KEY_EXPIRES_MAX_S: Final = 10 * 366 * 86_400.0
"""How long a key may be made for. One that should last longer does not expire."""

KEYS_FOLLOW_S: Final = 1.0
KEYS_FRESH_S: Final = 4.0
"""How often a server looks for changes of keys; and how long after the last look that succeeded began it takes a key
for valid. A server that cannot look refuses all keys then, and ends what was opened with them one interval later: so
revoking holds everywhere within 5 s."""

KEYS_SOON_S: Final = 0.25
"""Between two looks that unknown keys cause: a new one is known at once, and strangers cause few."""

TOKEN_SIZE_BYTES_MAX: Final = 8 * 1024
"""Of what a caller sends to say who it is. A token with hundreds of claims is smaller."""

JWTS_KEPT_MAX: Final = 10_000
"""JWTs whose signature was checked and need not be again, some hundred bytes each."""

JWT_LEEWAY_S: Final = 30
"""How far the clocks of this server and the issuer may be apart."""

JWKS_SIZE_BYTES_MAX: Final = 256 * 1024
JWKS_KEYS_MAX: Final = 100
JWKS_TIMEOUT_S: Final = 5.0
"""Of an issuer's keys, which are few; and for its answer."""

JWKS_FETCH_S: Final = 300.0
JWKS_UNKNOWN_KEY_S: Final = 10.0
JWKS_KEPT_S: Final = 86_400.0
"""How often an issuer's keys are fetched; how soon after the last time a token of an unknown key may have them fetched
again, however many strangers send such; and how long the last ones hold while the issuer is out of reach."""

AUDIT_QUEUE_MAX: Final = 1_000
"""Entries that wait for the store. What comes while it is full is counted, and the count is written."""

AUDIT_WINDOW_S: Final = 300.0
AUDIT_KINDS_MAX: Final = 16
AUDIT_KNOWN_KINDS_MAX: Final = 256
"""Entries that somebody could cause again and again: of one kind two are written in a window, the latter with the
number of all that followed; and of so many kinds, the others being one. What strangers can cause is less than 10,000 a
day, some MiB, in each process; there are more kinds of what only principals can."""

AUDIT_RETRY_S: Final = 5.0
"""Before the next attempt, when the store does not take an entry."""
