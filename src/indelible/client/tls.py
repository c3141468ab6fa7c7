"""TLS of clients: what they trust, what they show, and what to do when a handshake fails."""

import os
import ssl
from pathlib import Path
from typing import NamedTuple

from indelible.errors import IndelibleError, InvalidRequest

File = str | os.PathLike[str] | None

_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "Hostname Verification Check failed")
_OWN_REFUSED = ("ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE", "CERTIFICATE_REQUIRED")


class ClientTls(NamedTuple):
    """Files in PEM."""

    ca: File = None
    """Certificates to trust, in place of the system's."""
    certificate: File = None
    """To show the server."""
    key: File = None
    """Of that certificate; in the same file unless it is given."""

    def context(self) -> ssl.SSLContext:
        """Raises ``InvalidRequest`` for a file that cannot be used."""
        self.check()
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError as error:
            raise _bad("ca", f"{self.ca} holds no certificates in PEM: {error}") from None
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except ssl.SSLError as error:
                name = "key" if error.reason == "KEY_VALUES_MISMATCH" else "certificate"
                raise _bad(name, f"{self.certificate} and its key cannot be used together: {error}") from None
        return context

    def check(self) -> None:
        """Raises ``InvalidRequest`` for a file that cannot be read."""
        if self.key is not None and self.certificate is None:
            raise _bad("certificate", "is missing: a key alone shows the server nothing")
        for name, file in zip(self._fields, self, strict=True):
            if file is not None:
                read(name, file)


def read(name: str, file: str | os.PathLike[str]) -> bytes:
    """A file that a setting names. Raises ``InvalidRequest``."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise _bad(name, f"cannot read {file}: {error.strerror}") from None


def _bad(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, pointer=f"/tls_{name}")


def handshake_error(server: str, reason: str) -> IndelibleError | None:
    """What to do about a connection that failed for this reason; None where it was for no certificate's sake. To try
    again would not help."""
    if any(one in reason for one in _UNTRUSTED):
        return InvalidRequest(
            f"the certificate of {server} is not trusted: give the certificate of the CA that made it with tls_ca "
            "(--tls-ca, INDELIBLE_TLS_CA), and ask for the server by a name that is in its certificate, which must not "
            f"have expired ({reason})",
            pointer="/tls_ca",
        )
    if any(one in reason for one in _OWN_REFUSED):
        return InvalidRequest(
            f"{server} does not take this client's certificate: give one that its client_ca has made with "
            f"tls_certificate and tls_key ({reason})",
            pointer="/tls_certificate",
        )
    return None
