"""Errors carry their fields wherever they go."""

import copy
import json
import pickle

import pytest

from indelible.errors import (
    ConditionFailed,
    IndelibleError,
    InvalidRequest,
    Overloaded,
    PayloadTooLarge,
    VersionConflict,
    error_from_code,
)
from indelible.limits import ERROR_TEXT_SIZE_BYTES_MAX, NAME_LENGTH_MAX
from indelible.server.grpc.calls import answer_of
from indelible.server.grpc.exchange import shortened
from indelible.wire.errors import cut, encode_problem, fields_of, problem
from indelible.wire.proto_events import error_message

ERRORS = [
    VersionConflict("m", aggregate_type="O", aggregate_id="1", expected_version="none", actual_version=3),
    InvalidRequest("m", pointer="/a/0"),
    PayloadTooLarge("m", pointer="/events", events_max=10),
    ConditionFailed("m", position=7),
    Overloaded("m", retry_after_s=1),
    IndelibleError("m", anything={"a": [1]}),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_copies_and_pickles(error: IndelibleError) -> None:
    for same in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(same) is type(error)
        assert (same.message, same.fields, str(same), same.args) == (error.message, error.fields, "m", ("m",))
    assert type(error).__name__ in repr(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_comes_back_from_its_code(error: IndelibleError) -> None:
    same = error_from_code(error.code, error.message, error.fields)
    assert type(same) is type(error)
    assert (same.message, same.fields) == (error.message, error.fields)


def test_codes_and_fields_of_a_newer_server() -> None:
    error = error_from_code("not_known_yet", "message", {"message": "a field", "self": 1, "code": "x"})
    assert type(error) is IndelibleError
    assert error.fields == {"message": "a field", "self": 1, "code": "x"}
    again = pickle.loads(pickle.dumps(error))
    assert again.fields == error.fields
    assert error_from_code("invalid_request", "m", {"message": 1, "pointer": "/x"}).fields == {
        "pointer": "/x",
        "message": 1,
    }


def test_pointer_below_another() -> None:
    error = PayloadTooLarge("m", pointer="/metadata", size_bytes_max=5).under("/events/3")
    assert type(error) is PayloadTooLarge
    assert error.fields == {"pointer": "/events/3/metadata", "size_bytes_max": 5}
    assert InvalidRequest("m").under("/x").pointer == "/x"


class TestTextsOfAnswers:
    """A caller's own megabytes."""

    @pytest.mark.parametrize("character", ["x", "é", "一", "😀"])
    def test_are_cut_where_a_character_ends(self, character: str) -> None:
        text = character * 1_000_000
        shown = cut(text)
        size_bytes = len(shown.encode())
        assert ERROR_TEXT_SIZE_BYTES_MAX - 4 < size_bytes <= ERROR_TEXT_SIZE_BYTES_MAX
        assert shown.endswith("…")
        assert text.startswith(shown[:-1])

    @pytest.mark.parametrize("text", ["", "x" * ERROR_TEXT_SIZE_BYTES_MAX, "😀" * NAME_LENGTH_MAX, "\ud800"])
    def test_stand_whole_where_they_are_short(self, text: str) -> None:
        assert cut(text) == text

    def test_are_cut_over_every_api(self) -> None:
        long = "x" * 1_000_000
        error = InvalidRequest(f"{long} is wrong", pointer=f"/{long}", key=long, limit=5)
        sent = [encode_problem(error), error_message(error).SerializeToString()]
        sent += [value for _, value in answer_of(error).trailers]
        assert max(map(len, sent)) < 8 * ERROR_TEXT_SIZE_BYTES_MAX
        told = problem(error)
        assert told["detail"] == cut(error.message)
        assert (told["pointer"], told["key"], told["limit"]) == (cut(error.pointer), cut(long), 5)
        message = error_message(error)
        assert (message.message, json.loads(message.fields)) == (told["detail"], fields_of(error))
        assert error.pointer == f"/{long}"

    def test_of_a_status_of_grpc_are_cut_before_they_are_quoted(self) -> None:
        assert shortened("😀" * 1_000_000) == shortened("😀" * 1_000)
