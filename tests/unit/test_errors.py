"""Errors carry their fields wherever they go."""

import copy
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
