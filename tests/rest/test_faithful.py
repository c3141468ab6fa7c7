"""What was sent comes back as it was sent, to the letter."""

import hashlib

from rest.calls import Api, new_path

DATA = (
    b'{"z":1.0,"a":1,"big":123456789012345678901234567890,"exp":1E+2,"small":-0.0,"text":"\\u00e9\xc3\xa9 \\/",'
    b'"huge":1e999,"empty":{},"list":[1,1.0,1.00]}'
)


def _append(api: Api, data: bytes, metadata: bytes) -> str:
    path = new_path()
    body = b'{"events":[{"event_type":"E","event_data":%b,"metadata":%b}]}' % (data, metadata)
    assert api.post(f"{path}/events", body).status == 201
    return path


def test_numbers_key_order_and_escapes_survive(api: Api):
    path = _append(api, DATA, DATA)
    for answer in (api.get(f"{path}/events"), api.get(f"{path}/events", accept="application/x-ndjson")):
        assert b'"event_data":' + DATA + b"," in answer.body
        assert b'"metadata":' + DATA + b"," in answer.body


def test_white_space_goes_and_nothing_else(api: Api):
    path = _append(api, b' { "b" : [ 1.0 ,\n 2 ] ,\t"a" : "x  y" } ', b"{ }")
    assert b'"event_data":{"b":[1.0,2],"a":"x  y"},"metadata":{},' in api.get(f"{path}/events").body


def test_one_event_reads_the_same_everywhere(api: Api):
    path = _append(api, DATA, b'{"k":1}')
    line = api.get(f"{path}/events", accept="application/x-ndjson").body
    event_id = line.split(b'"')[3].decode()
    assert api.get(f"/v1/events/{event_id}").body == line


def test_a_reader_can_check_the_hash_chain_with_nothing_but_sha_256(api: Api):
    _append(api, DATA, DATA)
    lines = api.get("/v1/events", accept="application/x-ndjson").body.splitlines()
    previous = bytes(32)
    for line in lines:
        canonical, _, digest = line.rpartition(b',"hash":"')
        previous = hashlib.sha256(previous + canonical + b"}").digest()
        assert digest == previous.hex().encode() + b'"}'


def test_a_snapshot_keeps_its_state_to_the_letter(api: Api):
    path = _append(api, b"1", b"{}")
    body = b'{"version":1,"state":%b,"metadata":{"n":1.0}}' % DATA
    put = api.call("PUT", f"{path}/snapshot", body)
    assert (put.status, put.headers["etag"][:3]) == (200, '"1-')
    assert b'"state":' + DATA + b"," in put.body
    assert api.get(f"{path}/snapshot").body == put.body
    assert b'"state":' + DATA + b"," in api.get(f"{path}/replay").body
