"""Heads and bodies in pieces: however they are cut, what is found is the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.errors import IndelibleError, PayloadTooLarge
from indelible.limits import CHUNKS_AT_ONCE_MAX, HEADER_SIZE_BYTES_MAX
from indelible.server.http.message_syntax import ChunkedBody, Framing, HeadReader, SizedBody

CUTS = st.lists(st.integers(0, 400), max_size=12)
HEAD = (
    b"POST /v1/a%2Fb?x=1&y=%20 HTTP/1.1\r\nHost: example.org:80\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"X-Long: " + b"x" * 200 + b"\r\nContent-Length: 5\r\n\r\n"
)
# Mostly right, and wrong in all ways.
PIECES = st.sampled_from(
    [
        b"5\r\nhello\r\n",
        b"1;a=b\r\n!\r\n",
        b"0\r\n",
        b"\r\n",
        b"A: b\r\n",
        b"\n",
        b"\r",
        b"5\r\nhell",
        b"a",
        b";",
        b"00005",
    ]
)


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({*(cut for cut in cuts if cut < len(data)), len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _taken(framing: Framing, parts: list[bytes]) -> tuple[bytes, bytes, bool] | type[IndelibleError]:
    """The body, what is behind it, and whether it is whole; or the error."""
    body, rest = b"", b""
    try:
        for part in parts:
            rest += part
            while rest and not framing.is_whole:
                found, rest = framing.take(rest)
                body += found
    except IndelibleError as error:
        return type(error)
    return body, rest, framing.is_whole


@given(CUTS)
def test_a_head(cuts: list[int]):
    reader = HeadReader()
    for part in _cut(HEAD, cuts):
        reader.feed(part)
    head = reader.head()
    assert (head.method, head.raw_path, head.query_string) == ("POST", b"/v1/a%2Fb", b"x=1&y=%20")
    assert head.headers[b"x-long"] == b"x" * 200
    assert (head.is_last, head.is_version_1_0, head.expects_continue) == (False, False, False)
    assert head.framing is not None
    assert head.framing.size_left_bytes == 5


@given(CUTS, st.binary(max_size=300), st.integers(1, 300))
def test_a_body_of_a_length(cuts: list[int], sent: bytes, length: int):
    expected = (sent[:length], sent[length:], len(sent) >= length)
    assert _taken(SizedBody(length), _cut(sent, cuts)) == expected


@given(CUTS, st.lists(PIECES, max_size=12))
def test_whatever_comes_in_chunks(cuts: list[int], pieces: list[bytes]):
    """The same at once and in parts; and never more than was sent."""
    sent = b"".join(pieces)
    at_once = _taken(ChunkedBody(HEADER_SIZE_BYTES_MAX), [sent])
    assert _taken(ChunkedBody(HEADER_SIZE_BYTES_MAX), _cut(sent, cuts)) == at_once
    assert _taken(ChunkedBody(HEADER_SIZE_BYTES_MAX), [bytes([byte]) for byte in sent]) == at_once


@given(CUTS, st.lists(st.binary(min_size=1, max_size=30), max_size=8), st.binary(max_size=10))
def test_a_body_in_chunks(cuts: list[int], chunks: list[bytes], behind: bytes):
    sent = b"".join(b"%x;e\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nA: b\r\n\r\n" + behind
    assert _taken(ChunkedBody(1_000), _cut(sent, cuts)) == (b"".join(chunks), behind, True)


@pytest.mark.parametrize("is_in_pieces", [False, True])
def test_what_goes_beside_a_body_is_counted_to_the_byte(is_in_pieces: bool):
    sent = b"1;abc\r\nx\r\n0;de\r\nA: b\r\n\r\n"
    beside = len(b";abc;deA: b\r\n")
    parts = [bytes([byte]) for byte in sent] if is_in_pieces else [sent]
    assert _taken(ChunkedBody(beside), parts) == (b"x", b"", True)
    assert _taken(ChunkedBody(beside - 1), parts) is PayloadTooLarge


@pytest.mark.parametrize("start", [b"1;", b"0\r\n", b"0\r\nA: b\r\nX: "])
def test_a_line_without_end_is_not_kept(start: bytes):
    assert _taken(ChunkedBody(1_000), [start, *[b"x" * 100] * 12]) is PayloadTooLarge


def test_small_chunks_are_taken_by_turns():
    body = ChunkedBody(0)
    part, rest = body.take(b"1\r\nx\r\n" * (CHUNKS_AT_ONCE_MAX + 1) + b"0\r\n\r\n")
    assert (len(part), body.is_whole) == (CHUNKS_AT_ONCE_MAX, False)
    part, rest = body.take(rest)
    assert (part, rest, body.is_whole) == (b"x", b"", True)
