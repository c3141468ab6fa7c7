"""``If-None-Match`` on a GET: what the caller has already is not sent again."""

import pytest

from rest.calls import Api, events, new_path


@pytest.fixture
def path(api: Api) -> str:
    path = new_path()
    assert api.post(f"{path}/events", events(3)).status == 201
    return path


@pytest.mark.parametrize("asked", ['"3"', 'W/"3"', "*", '"1", "3"', '"1",W/"3","x"'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_caller_has_is_not_sent_again(api: Api, path: str, asked: str, method: str):
    answer = api.call(method, path, headers={"if-none-match": asked})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", '"3"')
    assert "content-type" not in answer.headers
    assert api.get(path).status == 200


@pytest.mark.parametrize("asked", ['"2"', '"33"', "3", "", 'W/"2", "4"', "nonsense"])
def test_what_has_changed_is(api: Api, path: str, asked: str):
    assert api.get(path, if_none_match=asked).json["version"] == 3


def test_an_aggregate_goes_on(api: Api, path: str):
    assert api.get(path, if_none_match='"3"').status == 304
    api.post(f"{path}/events", events(1))
    assert api.get(path, if_none_match='"3"').json["version"] == 4


def test_a_snapshot_may_be_replaced_at_the_same_version(api: Api, path: str):
    target = f"{path}/snapshot"
    first = api.call("PUT", target, {"version": 3, "state": 1}).headers["etag"]
    assert api.get(target, if_none_match=first).status == 304
    second = api.call("PUT", target, {"version": 3, "state": 2}).headers["etag"]
    answer = api.get(target, if_none_match=first)
    assert (answer.status, answer.headers["etag"], answer.json["state"]) == (200, second, 2)
    assert api.get(target, if_none_match=second).status == 304


def test_errors_and_pages_are_always_sent(api: Api, path: str):
    assert api.get(new_path(), if_none_match="*").status == 404
    assert api.get(f"{path}/events", if_none_match="*").status == 200
