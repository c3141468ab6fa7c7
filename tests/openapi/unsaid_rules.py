"""Rules of the API that JSON Schema cannot say, so that Schemathesis does not take them for bugs.

A request that fits the schemas may be refused for one of these reasons and for no other. Loaded by schemathesis.toml.
"""

import json
import re
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData

from indelible.limits import GROUP_WAIT_MAX_S, SEARCH_WAIT_MAX_S

WAIT_MAX_S = 0.01

BETWEEN_FIELDS = [
    ("/after", "is not a cursor of this store"),
    ("/after", r"is past the head, \d+: not a cursor of this store"),
    ("/condition/after", "is not a cursor of this store"),
    ("/condition/after", r"is past the head, \d+: not a cursor of this store"),
    ("/limit", "must be an integer from 1 to 1000"),  # more only in a stream
    ("/items", "must not stand next to event_type, aggregate_type, tag"),
    ("/If-None-Match", "must not stand next to If-Match"),
    ("/expected_version", "disagrees with the If-Match or If-None-Match header"),
    (r"/appends/\d+/aggregate_id", "the aggregate stands twice in the request"),
    (r"(/appends/\d+)?/events/\d+/event_id", "the event id stands twice in the request"),
    (r"(/appends/\d+)?/aggregate_type", r'must not begin with "\$": such types are the store\'s own'),
    ("/version", r"is above the aggregate's version, \d+"),
    (r"(/appends/\d+)?/expected_version", "must be an integer .*, not float"),  # JSON Schema takes 1.0 for an integer
    ("/version", "must be an integer, not float"),
    ("/start", "give one of start, after and since(, not several)?"),
    ("/cursor", "is not a cursor of this store"),
    ("/cursor", r"is past the head, \d+: not a cursor of this store"),
    ("/problem", "is missing; a relay that stops says why"),
    ("/relay", "the store has 64 relays, and takes no more"),
    ("/replay/cursor", "is not a cursor of this store"),
    ("/replay/cursor", r"is past the head, \d+: not a cursor of this store"),
    ("/refused/position", r"is past the head, \d+: not a cursor of this store"),
    ("/until", "is not a cursor of this store"),
    ("/until", r"is past the relay's checkpoint, \d+: .*"),
    ("/until", r"there is nothing to publish again from \d+ to \d+"),
    ("/untried", "an event that nobody has tried cannot be parked"),
    (r"/(limit|max_attempts|max_in_flight|epoch|partition|positions/\d+)", "must be an integer, not float"),
    (r"(/replay)?/published|/(refused|retried)/position", "must be an integer, not float"),
    ("/partition", r"is \d+; the store has one partition, 0"),
    ("/cursor", "is not the cursor of a page of this search"),
    ("/wait_for", "is not a cursor of this store"),
    ("/wait_for", r"is past the head, \d+: not a cursor of this store"),
    ("/query", "has no word to look for"),
    ("/where", "would look at every event: .*"),
    (r"/where/\d+/field", r"[\s\S]* is no field of the index; there are .*"),
    (r"/where/\d+/operator", "does not go with .*"),
    (r"/where/\d+/value(/\d+)?", "must .*"),  # of the field's type
    (r"/schema(/.*)?", "is no JSON Schema of draft 2020-12 that is taken here: .*"),
    (r"/schema(/.*)?/\$ref", '(must begin with "#/": .*|leads to no schema within this one)'),
    (r"/schema(/.*)?", "leads back to itself without going into the data"),
    (r"/schema(/.*)?/\$(schema|id|\w*[aA]nchor|\w+Ref|vocabulary)", "(is not taken here|may stand only .*|must be .*)"),
    (r"/schema(/.*)?/(pattern|patternProperties/.*)", "must be a regular expression .*"),
]
"""The pointer and the words of each, as patterns."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """The server waits as long as it is asked to; a run of thousands of requests should not."""
    asked = case.body.get("wait_s") if isinstance(case.body, dict) else None
    if isinstance(asked, (int, float)) and WAIT_MAX_S < asked <= max(GROUP_WAIT_MAX_S, SEARCH_WAIT_MAX_S):
        case.body["wait_s"] = WAIT_MAX_S


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """False for what is no failure."""
    if isinstance(failure, RejectedPositiveData):
        return not (is_between_fields(response.json()) or _was_sent_without_quotes(response))
    if isinstance(failure, AcceptedNegativeData):
        if case.operation.path == "/v1/batch":
            return not _was_refused_in_part(response)
        return not _is_too_long_by_repeats(failure, case)
    return True


def is_between_fields(problem: dict[str, Any]) -> bool:
    return any(
        re.fullmatch(pointer, problem.get("pointer", "")) and re.fullmatch(words, problem["detail"])
        for pointer, words in BETWEEN_FIELDS
    )


def _was_sent_without_quotes(response: Any) -> bool:
    """Schemathesis at times sends ``If-Match: 0`` for "a string such as "0", with quotes"."""
    sent = response.request.headers.get("If-Match", "")
    return isinstance(sent, str) and sent.isdigit() and response.json().get("pointer") == "/If-Match"


def _is_too_long_by_repeats(failure: Failure, case: Any) -> bool:
    """Tags and names are sets: repeats do not count, so a list that is too long only by them is taken."""
    violated = set(re.findall(r"violates `(\w+)`", failure.message))
    return violated == {"maxItems"} and any(_has_repeats(sent) for sent in (case.query, case.body))


def _has_repeats(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_repeats, value.values()))
    if isinstance(value, list):
        distinct = {json.dumps(inner, sort_keys=True) for inner in value}
        return len(distinct) < len(value) or any(map(_has_repeats, value))
    return False


def _was_refused_in_part(response: Any) -> bool:
    """What is wrong with one append of a batch is that append's own outcome."""
    return any(result["status"] in (400, 413, 422) for result in response.json()["results"])
