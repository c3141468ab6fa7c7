"""An issuer of JWTs: its keys, its tokens, and a server that publishes its keys."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

ISSUER: Final = "https://issuer.example"
AUDIENCE: Final = "indelible"
RSA: Final = RSAKey.generate_key(2_048, {"kid": "rsa"})
EC: Final = ECKey.generate_key("P-256", {"kid": "ec"})
ED: Final = OKPKey.generate_key("Ed25519", {"kid": "ed"})
OTHER: Final = RSAKey.generate_key(2_048, {"kid": "rsa"})
"""Says that it is the issuer's."""
SECRET: Final = OctKey.import_key("s" * 48, {"kid": "secret"})

Key = RSAKey | ECKey | OKPKey | OctKey


def claims(**others: Any) -> dict[str, Any]:
    """Of a good token; None leaves one out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": now + 300, "nbf": now, "grants": ["read:*"]}
    return {name: value for name, value in (usual | others).items() if value is not None}


def token(key: Key = RSA, algorithm: str = "RS256", head: Mapping[str, Any] | None = None, **others: Any) -> str:
    usual = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
    header = {name: value for name, value in (usual | dict(head or {})).items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jwt.encode(header, claims(**others), key, registry=registry)


def published(*keys: Key) -> dict[str, Any]:
    """A JWKS."""
    return {"keys": [key.as_dict(private=isinstance(key, OctKey)) for key in keys]}


class Issuer:
    """What a server publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.answer: Any = published(RSA, EC, ED)
        self.status = 200
        self.asked = 0
        self.url = ""

    async def handle(self, _: web.Request) -> web.Response:
        self.asked += 1
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@asynccontextmanager
async def publishing() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/jwks", issuer.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
        yield issuer
    finally:
        await runner.cleanup()
