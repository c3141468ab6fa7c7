"""Search"""

from typing import Final

SEARCH_REQUEST_SIZE_BYTES_MAX: Final = 1024 * 1024
"""Body of one search. The largest query that is allowed takes less, with all names and values in it."""
SEARCH_TEXT_LENGTH_MAX: Final = 1_000
"""Characters of a text query."""
SEARCH_CONDITIONS_MAX: Final = 32
"""Conditions of one search. Each may be an index to look into."""
SEARCH_VALUES_MAX: Final = 1_000
"""Values of one condition with ``in``."""
SEARCH_VALUES_TOGETHER_MAX: Final = 2_000
"""Values of all conditions of one search: each is checked before the index is asked, in some microseconds."""
SEARCH_VALUES_LENGTH_MAX: Final = 128 * 1024
"""Characters of all strings among them."""
SEARCH_WHERE_PARTS_MAX: Final = 8_192
"""Strings, commas and opening brackets in the JSON text of conditions, which are counted before values are made of it.
The most values, and the conditions around them, have about half of it."""
SEARCH_TIMEOUT_S: Final = 10.0
"""For one search in the index. One that takes longer is too broad, and is refused."""
SEARCH_SILENCE_GRACE_S: Final = 3.0
"""Beyond it, and the time that a search may wait, an index that says nothing is taken to be out of reach. It may say a
little later than after its time-out that a search was too broad."""
SEARCH_MOVES_MAX: Final = 10
"""How often a search begins anew, once its time to wait is over, because another index has taken the place of the one
that it looked into. That is rare."""
SEARCH_LOOK_INTERVAL_S: Final = 0.05
"""How often a search that waits looks how far the index has come, where another process keeps it up to date."""
SEARCH_WAIT_S: Final = 5.0
SEARCH_WAIT_MAX_S: Final = 60.0
"""How long a search may wait until the index has come to a cursor."""

INDEX_FIELDS_MAX: Final = 64
"""Declared fields. Each makes every event dearer to index."""
INDEX_FIELD_LENGTH_MAX: Final = 255
"""Characters of a field's path."""
INDEX_VALUES_PER_FIELD_MAX: Final = 100
"""Values of one field in one event, which are the elements of arrays; those after them are not found."""
INDEX_VALUE_LENGTH_MAX: Final = 1_000
"""Characters of a string that is found by its field; longer ones are found by text alone."""
INDEX_TEXT_LENGTH_MAX: Final = 65_536
"""Characters of an event's text that are found; those after them are not."""
INDEX_BATCH_EVENTS_MAX: Final = 1_000
"""Events that are indexed in one step, which a crash may repeat."""
INDEX_REJECTED_MAX: Final = 1_000
"""Documents that the index refused, in its list; when it is full, indexing stops."""
INDEX_REJECTED_SHOWN_MAX: Final = 100
"""Refused documents that the state of the index tells of: the last ones."""
INDEX_SLICE_S: Final = 0.002
"""For so long documents are made before others on the event loop get their turn."""
INDEX_LINE_AT_ONCE_SIZE_BYTES_MAX: Final = 32 * 1024
"""The document of a larger event is made in a thread: it alone takes longer than a slice."""
INDEX_GATHER_S: Final = 0.1
"""How long events are gathered, to be indexed together, where no search of the same process waits for them."""
INDEX_LOOK_INTERVAL_S: Final = 1.0
"""How often an indexer looks whether somebody began, swapped or dropped a generation; and searches, whether the one
that they ask is of the log still."""
INDEX_STAND_BY_S: Final = 3.0
"""When another process has applied events, an indexer leaves the index to it for so long; longer, while it goes on."""
INDEX_RETRY_WAIT_MIN_S: Final = 0.1
INDEX_RETRY_WAIT_MAX_S: Final = 10.0
"""Between two attempts to go on after a failure: of the index, of the store, or at an event that cannot be read."""
INDEX_WRITE_TIMEOUT_S: Final = 60.0
"""For one step of writing to an index; beyond it the disk, or the service, is taken to be out of reach."""
INDEX_BULK_DOCUMENTS_MAX: Final = 500
INDEX_BULK_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one request to a search service, if more than one document: each has to be held there, and some take 10 MiB."""
INDEX_BULKS_AT_ONCE_MAX: Final = 2
"""Such requests that one indexer has on their way: while one is answered, the next is read."""
INDEX_SERVICE_TIMEOUT_S: Final = 10.0
"""For a search service's answer to a small request. Beyond it the service is taken to be out of reach."""
INDEX_SERVICE_WRITE_TIMEOUT_S: Final = 30.0
"""The same for documents, and for making an index, which a busy service takes its time for."""

DYNAMODB_ENTRIES_MAX: Final = 10_000
"""Entries of lists that one search in DynamoDB follows, of up to 1 KB each. One that would look at more gives a short
page, or is too broad."""
DYNAMODB_ENTRIES_SORTED_MAX: Final = 5_000
"""Entries of a range of values, which are read whole and sorted; where there are more, another list is followed."""
DYNAMODB_ENTRIES_PROBED: Final = 250
"""Of each list that might lead a search, to find a short one: about as many as one page of an answer."""
DYNAMODB_LEADS_PROBED_MAX: Final = 8
"""Conditions that are looked at for a short list."""
DYNAMODB_LISTS_PROBED_MAX: Final = 16
"""Values of one condition with ``in``; one with more is not looked at for being short."""
DYNAMODB_ENTRIES_PER_PAGE_MAX: Final = 1_000
"""Of one query: at 1 KB the most that DynamoDB gives at once."""
DYNAMODB_CALLS_AT_ONCE_MAX: Final = 32
"""Requests to DynamoDB, and so connections."""
DYNAMODB_WRITES_AT_ONCE: Final = 8
"""Batches of 25 items on their way: at 5 ms each, more than one process can make."""
DYNAMODB_CALL_TIMEOUT_S: Final = 5.0
"""For one answer of DynamoDB."""
DYNAMODB_UNREACHABLE_S: Final = 3.0
"""When no request has got through for so long, DynamoDB is out of reach."""
DYNAMODB_RETRY_WAIT_MIN_S: Final = 0.02
DYNAMODB_RETRY_WAIT_MAX_S: Final = 1.0
"""Between two attempts of a request that is throttled or has got lost."""
DYNAMODB_IDLE_MAX_S: Final = 60.0
"""How long throttling may let nothing at all through, while documents are added."""
DYNAMODB_STEP_MAX_S: Final = 600.0
"""For one step of documents, however slow the table is: at 25 units of writing a second, enough for 1,000 events."""
DYNAMODB_VOID_KEPT_S: Final = 3_600
"""For so long a step that was given up is remembered as such: nobody can still be writing it."""
DYNAMODB_REMOVE_AFTER_S: Final = 30.0
"""What is dropped is removed after so long: searches in it are over by then."""
DYNAMODB_REMOVE_PAUSE_S: Final = 60.0
"""Until removing is tried again, after a failure."""
