"""Bounds of looking after a store: backups, what "doctor" says is scarce or late, and what a server says of itself."""

from typing import Final

# --- Backups ---------------------------------------------------------------------------------------------------------

BACKUP_SEGMENT_SIZE_BYTES_MAX: Final = 32 * 1024 * 1024
"""Lines in one file of a backup, unless its last page has more: it is made in memory, and read back whole. A terabyte
of lines has 32,768 of them, and a manifest of about 13 MB."""

BACKUP_MANIFEST_INTERVAL_S: Final = 30.0
"""How often a backup that takes long notes how far it is, so that one that is interrupted goes on from there."""

BACKUP_LEFTOVER_AGE_S: Final = 24 * 3600
"""How old a file must be that stands in no manifest before it is deleted: another backup that runs meanwhile, or a
restore that reads an older manifest, may still want it."""

BACKUP_INTERVAL_MIN_S: Final = 1
BACKUP_INTERVAL_MAX_S: Final = 7 * 24 * 3600
"""Between two backups of a command that goes on making them. Less than a second would do nothing else than list and
write manifests; for more than a week a timer of the system is the better keeper of time."""

# --- Doctor ----------------------------------------------------------------------------------------------------------

DISK_FREE_SIZE_BYTES_MIN: Final = 1024 * 1024 * 1024
"""Free space below which a store is in danger: a write-ahead log alone may take so much."""

DISK_FREE_SHARE_MIN: Final = 0.1
"""Share of a disk below which it is time to see to it."""

CLOCK_AHEAD_S_MAX: Final = 1.0
"""How far the newest event may lie ahead of the clock here: clocks that are kept by NTP differ by less."""

DOCTOR_CONNECT_TIMEOUT_S: Final = 3.0
"""How long a broker may take to accept a connection; in one network it takes milliseconds."""

DATABASE_CONNECTIONS_SHARE_MAX: Final = 0.8
"""Share of a database's max_connections that may be taken. Beyond it the next server that starts may get none."""

# --- Logs, traces and metrics ----------------------------------------------------------------------------------------

SLOW_REQUEST_S: Final = 1.0
"""A request that takes longer is logged; ten times what the slowest hundredth of appends should take. Not those that
wait for something because they are asked to, nor streams."""

REQUEST_LINES_PER_S_MAX: Final = 20
"""Log lines about slow and failed requests, of each API and process; the next line says how many were left out. A
server that refuses 20,000 requests a second must not be kept busy by its log. Access logs are not bounded."""

TRACED_COMMITS_MAX: Final = 32
"""Commits of one request that become spans: a stream of appends may have any number."""

TRACE_LINKS_MAX: Final = 32
"""Links from the span of a page that a relay publishes to the traces of its events; OpenTelemetry's bound is 128."""

TRACE_STOP_S: Final = 2.0
"""How long a server that stops waits until its last spans and metrics are sent; what is not sent by then is lost."""

METRICS_PUSH_INTERVAL_S: Final = 60.0
"""Between two exports of metrics over OTLP, unless OTEL_METRIC_EXPORT_INTERVAL says otherwise; OpenTelemetry's own."""

# --- Verifying beside the requests -----------------------------------------------------------------------------------

VERIFY_REST_TIMES: Final = 9
"""How long the server rests after each page that it verifies, as a multiple of the time that the page took: verifying
takes a tenth of one core at most."""

VERIFY_EVERY_H_MAX: Final = 8_760
"""A year between two verifications."""

# --- Looking around --------------------------------------------------------------------------------------------------

OVERVIEW_ROWS_MAX: Final = 25
"""Rows of each table of the page at /, those that say most: a store may have thousands of event types. How many there
are in all stands beside."""

OVERVIEW_NAME_LENGTH_MAX: Final = 96
"""Characters of a name there; one may have hundreds."""

UI_REFRESH_S: Final = 1.0
"""How often the terminal screen asks for the head, and every few times for what costs more. It asks again only once it
has been answered."""

UI_ANSWER_TIMEOUT_S: Final = 15.0
"""How long it waits for one answer before it says that the store does not answer, and asks anew."""

UI_OUTAGE_WAIT_MAX_S: Final = 5.0
"""The longest wait between two attempts while a store is out of reach."""

UI_ROWS_MAX: Final = 500
"""Rows of one of its tables. Older events than these are asked for anew; of event types the most frequent are kept."""

UI_PAGE_EVENTS: Final = 100
"""Events that it asks for at once: more than the tallest terminal shows."""

UI_SCANNED_PAGES_MAX: Final = 20
"""Pages of a filtered feed that it asks for in one go; they may hold little, or nothing."""

UI_GATHER_S: Final = 0.25
"""How long what comes is gathered before it is drawn: nobody reads faster."""

UI_TEXT_LENGTH_MAX: Final = 20_000
"""Bytes of one event's data that it shows; an event may have a megabyte. Enough for some hundred lines."""

UI_RATE_SAMPLES_MAX: Final = 120
"""Heads that the rate is drawn from: two minutes of them."""
