"""TLS: the certificate that the server shows, as its files hold it now, and those that callers show.

Each connection gets the certificate of the moment at which it came. So one that changes is taken up without a restart,
and no open connection notices.
"""

import asyncio
import os
import signal
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import structlog
from prometheus_client.metrics_core import Metric

from indelible.errors import InvalidRequest
from indelible.limits import TLS_FILES_LOOK_S
from indelible.server.background import Part
from indelible.server.certificate_times import not_after
from indelible.server.metrics import gauge
from indelible.server.network_settings import TlsSettings
from indelible.server.services import Services
from indelible.tasks import is_set_within

_log: Final = structlog.get_logger(__name__)

Alpn = Literal["http/1.1", "h2"]
"""What is spoken within."""
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


# --- The certificate -------------------------------------------------------------------------------------------------


class Certificates:
    """Raises ``InvalidRequest`` for files that cannot be used; the pointer names the setting."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings: Final = settings
        self._changed: Final = asyncio.Event()
        self._load()

    def _load(self) -> None:
        seen = self._look()
        contexts: dict[Alpn, ssl.SSLContext] = {alpn: _context(self._settings, alpn) for alpn in ("http/1.1", "h2")}
        self.expires = not_after(Path(self._settings.certificate))
        """By the clock of ``time.time``."""
        # All or nothing: half of a new certificate would fit no key.
        self._seen, self._contexts = seen, contexts

    def context(self, alpn: Alpn) -> ssl.SSLContext:
        return self._contexts[alpn]

    @property
    def why_not_valid(self) -> str | None:
        """A few words once it has expired."""
        if self.expires > time.time():
            return None
        return f"the certificate in {self._settings.certificate} has expired, on {_shown(self.expires)}"

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        """What tells that a file has changed, of each."""
        files = (self._settings.certificate, self._settings.key, self._settings.client_ca)
        return tuple(_mark(file) for file in files if file is not None)

    def look_now(self) -> None:
        """Do not wait for the next look, and read the files even if they look the same."""
        self._seen = ()
        self._changed.set()

    async def keep_up(self) -> None:
        """Take up files that change, as long as this runs."""
        while True:
            await is_set_within(TLS_FILES_LOOK_S, self._changed)
            self._changed.clear()
            found = self._look()
            if found != self._seen:
                self._load_changed()
                # What cannot be used is read again when it changes once more.
                self._seen = found

    def _load_changed(self) -> None:
        try:
            self._load()
        except InvalidRequest as error:
            _log.error("a new certificate cannot be used, the old one stays", error=error.message)
            return
        _log.info("a new certificate is used", expires=_shown(self.expires))
        self.warn()

    def warn(self) -> None:
        """In the log, of a certificate that callers will not take."""
        if (why := self.why_not_valid) is not None:
            _log.warning(why)

    def gauges(self) -> Iterable[Metric]:
        return [
            gauge(
                "indelible_certificate_expires_timestamp_seconds",
                "When the server's TLS certificate expires, in seconds since 1970.",
                self.expires,
            )
        ]

    def serve(self, services: Services) -> None:
        """Keep up, and tell, as a part of the server. Call within its event loop, from the main thread."""
        self.warn()
        services.metrics.add(self.gauges)
        services.background.add(Part("TLS certificate", self.keep_up, why_not_ready=lambda: self.why_not_valid))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.look_now)


def _shown(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()


def _mark(file: str) -> tuple[int, int, int] | None:
    with suppress(OSError):
        found = os.stat(file)  # noqa: PTH116 - one call, of what may be a link to a link
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None


def _context(settings: TlsSettings, alpn: Alpn) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.minimum_version]
    # A ticket would let a caller come back without its certificate being looked at.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols([alpn])
    _load_certificate(context, settings)
    if settings.client_ca is not None:
        _load_client_ca(context, settings.client_ca)
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    key = settings.key or settings.certificate
    for name, file in (("certificate", settings.certificate), ("key", key)):
        _check_readable(name, file)
    try:
        context.load_cert_chain(settings.certificate, key, password=_refuse_encrypted)
    except _EncryptedKeyError:
        raise _bad(
            "key", f"{key} is encrypted; give one that is not, in a file that only the server may read"
        ) from None
    except (ssl.SSLError, OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise _bad("key", f"{key} is not the key of the certificate in {settings.certificate}") from None
        name = "certificate" if not _holds(settings.certificate, "CERTIFICATE") else "key"
        wrong = settings.certificate if name == "certificate" else key
        raise _bad(name, f"{wrong} holds no {name} in PEM that can be used: {error}") from None


def _load_client_ca(context: ssl.SSLContext, file: str) -> None:
    _check_readable("client_ca", file)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError as error:
        raise _bad("client_ca", f"{file} holds no certificates in PEM: {error}") from None
    context.verify_mode = ssl.CERT_OPTIONAL


def _check_readable(name: str, file: str) -> None:
    try:
        with Path(file).open("rb"):
            pass
    except OSError as error:
        raise _bad(name, f"cannot read {file}: {error.strerror}") from None


class _EncryptedKeyError(Exception):
    pass


def _refuse_encrypted() -> str:
    """Asked for a password: else OpenSSL would ask whoever sits at the terminal."""
    raise _EncryptedKeyError


def _holds(file: str, what: str) -> bool:
    return f"-----BEGIN {what}-----".encode() in Path(file).read_bytes()


def _bad(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"tls.{name}: {message}", pointer=f"/tls/{name}")


def certificate_names(transport: asyncio.BaseTransport) -> tuple[str, ...]:
    """The names in the certificate that a caller has shown and that the settings' CA vouches for: its common names, and
    its alternative names. None without one."""
    found = transport.get_extra_info("peercert") or {}
    common = [value for names in found.get("subject", ()) for kind, value in names if kind == "commonName"]
    return tuple(dict.fromkeys([*common, *(value for _, value in found.get("subjectAltName", ()))]))
