"""When a certificate expires: the one thing that the standard library does not tell of a server's own certificate.

A certificate (RFC 5280, section 4.1) is DER: nested fields, each of a tag, a length and that many bytes.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from indelible.errors import InvalidRequest

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _TIME = 0x30, 0xA0, 0x17, 0x18
_FIELDS_BEFORE_VALIDITY: Final = 3
"""Serial number, algorithm of the signature, issuer."""
_CENTURY_TURNS: Final = 50
"""A year of two digits below it is of this century."""


def not_after(file: Path) -> float:
    """When the first certificate in a file of PEM expires, in seconds since 1970. Raises ``InvalidRequest``."""
    text = file.read_text("utf-8", "replace")
    start = text.find(_BEGIN)
    end = text.find(_END, start)
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(text[start : end + len(_END)]))
    except (ValueError, IndexError) as error:
        raise InvalidRequest(
            f"tls.certificate: cannot be read in {file}: {error}", pointer="/tls/certificate"
        ) from None


def _not_after(certificate: bytes) -> float:
    _, whole, _ = _field(certificate)
    _, signed, _ = _field(whole)
    tag, _, rest = _field(signed)
    if tag != _VERSION:
        # Of the first version, which does not say so.
        rest = signed
    for _ in range(_FIELDS_BEFORE_VALIDITY):
        _, _, rest = _field(rest)
    tag, validity, _ = _field(rest)
    if tag != _SEQUENCE:
        raise ValueError("it says nothing of its validity")
    _, _, rest = _field(validity)
    return _time(*_field(rest)[:2])


def _field(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first field, and what is behind it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]


def _time(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < _CENTURY_TURNS else "19") + text
    elif tag != _TIME:
        raise ValueError("its end is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
