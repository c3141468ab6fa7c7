"""Certificates for tests, made by a CA of their own."""

import datetime
from pathlib import Path

import trustme


class Authority:
    """Writes certificates into a folder: of itself, and of whom it certifies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca)

    def certify(self, name: str, *names: str, common_name: str | None = None, days: float = 30) -> tuple[Path, Path]:
        """Files of a certificate, and of its key; they take the place of older ones all at once."""
        now = datetime.datetime.now(datetime.UTC)
        made = self._ca.issue_cert(
            *names,
            common_name=common_name,
            not_before=now - datetime.timedelta(days=2),
            not_after=now + datetime.timedelta(days=days),
            key_type=trustme.KeyType.ECDSA,
        )
        written = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        for path, content in zip(
            written, (b"".join(one.bytes() for one in made.cert_chain_pems), made.private_key_pem.bytes()), strict=True
        ):
            path.with_suffix(".new").write_bytes(content)
            path.with_suffix(".new").rename(path)
        return written
