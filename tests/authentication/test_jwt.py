"""JWTs: what is taken, and every way to forge one that is known, over a real server and with a real issuer."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from authentication.guarded import Guarded, guarded
from authentication.issuer import (
    AUDIENCE,
    EC,
    ED,
    ISSUER,
    OTHER,
    RSA,
    SECRET,
    Issuer,
    claims,
    published,
    publishing,
    token,
)
from indelible.access import Principal
from indelible.client import AsyncClient
from indelible.errors import InvalidRequest, Unauthenticated, Unavailable
from indelible.limits import JWKS_SIZE_BYTES_MAX, JWKS_UNKNOWN_KEY_S, JWT_LEEWAY_S, TOKEN_SIZE_BYTES_MAX
from indelible.server.access_settings import JwtSettings, check_access
from indelible.server.authentication.jwks import IssuerKeys, make_issuer_keys
from indelible.server.authentication.jwt import JwtReader
from indelible.server.authentication.known import Known, RefusedToken

SETTINGS: Final = JwtSettings(
    issuer=ISSUER, audience=AUDIENCE, jwks_url="https://issuer.example", algorithms=("RS256", "ES256", "EdDSA")
)
NOW: Final = int(time.time())


def encoded(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


async def reader(*keys: Any, settings: JwtSettings = SETTINGS) -> JwtReader:
    async def fetch() -> bytes:
        return json.dumps(published(*(keys or (RSA, EC, ED)))).encode()

    found = JwtReader(settings, IssuerKeys(fetch, unknown_key_s=0.0))
    await found.keys.look_soon()
    return found


async def principal_of(jwt: JwtReader, text: str) -> Principal:
    known = jwt.read(text)
    return (known if isinstance(known, Known) else await known).principal


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")])
async def test_a_good_token(key: Any, algorithm: str):
    jwt = await reader()
    found = await principal_of(jwt, token(key, algorithm, grants="openid read:order append:bill* profile"))
    assert found == Principal.of("jwt:ada", ["append:bill*", "read:order"])


def signed_with_the_public_key() -> str:
    """Key confusion: HMAC with what everybody has."""
    signed = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(claims())}"
    return f"{signed}.{encoded(hmac.digest(RSA.as_pem(private=False), signed.encode(), 'sha256'))}"


def unsigned(algorithm: str) -> str:
    return f"{encoded({'alg': algorithm, 'kid': 'rsa', 'typ': 'JWT'})}.{encoded(claims())}."


def with_signature_of_another(**others: Any) -> str:
    """Claims that nobody signed."""
    head, _, signature = token().split(".")
    return f"{head}.{encoded(claims(**others))}.{signature}"


def with_head(text: bytes) -> str:
    """A head that is bytes, under a signature of it."""
    from joserfc.jws import JWSRegistry

    head, body = encoded(text), encoded(claims())
    algorithm = JWSRegistry.algorithms["RS256"]
    signature = algorithm.sign(f"{head}.{body}".encode(), RSA)
    return f"{head}.{body}.{encoded(signature)}"


FORGED: Final[dict[str, Callable[[], str]]] = {
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg none, with a signature": lambda: unsigned("none") + "c2ln",
    "no signature": lambda: unsigned("RS256"),
    "HMAC with the public key": signed_with_the_public_key,
    "an algorithm that is not allowed": lambda: token(RSA, "RS512"),
    "an algorithm of another kind of key": lambda: token(EC, "ES256", {"kid": "rsa"}),
    "another's key of the same name": lambda: token(OTHER),
    "a key that nobody has": lambda: token(OTHER, head={"kid": "nobody's"}),
    "a kid that is no text": lambda: with_head(b'{"alg":"RS256","kid":["rsa"]}'),
    "a kid that is a path": lambda: token(OTHER, head={"kid": "../../etc/passwd"}),
    "its own key within": lambda: token(OTHER, head={"kid": "mine", "jwk": OTHER.as_dict(private=False)}),
    "a place of its own keys": lambda: token(OTHER, head={"kid": "mine", "jku": "http://127.0.0.1:1/keys"}),
    "claims that nobody signed": lambda: with_signature_of_another(sub="eve"),
    "another issuer": lambda: token(iss="https://evil.example"),
    "an issuer that begins alike": lambda: token(iss=ISSUER + ".evil.example"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="others"),
    "an audience that begins alike": lambda: token(aud=AUDIENCE + "2"),
    "no audience": lambda: token(aud=None),
    "expired": lambda: token(exp=NOW - 60),
    "no expiry": lambda: token(exp=None),
    "an expiry that is text": lambda: token(exp="9999999999"),
    "an expiry that is true": lambda: token(exp=True),
    "an expiry that is no number": lambda: token(exp=float("nan")),
    "not valid yet": lambda: token(nbf=NOW + 36_000),
    "issued in the future": lambda: token(iat=NOW + 36_000),
    "no subject": lambda: token(sub=None),
    "an empty subject": lambda: token(sub=""),
    "a subject with a line end": lambda: token(sub="ada\r\nadmin"),
    "a subject that is a list": lambda: token(sub=["ada"]),
    "an extension that must be understood": lambda: with_head(b'{"alg":"RS256","kid":"rsa","crit":["exp"],"exp":1}'),
    "an unencoded payload": lambda: with_head(b'{"alg":"RS256","kid":"rsa","b64":false,"crit":["b64"]}'),
    "a nested token": lambda: token(head={"cty": "JWT"}),
    "another type of token": lambda: token(head={"typ": "dpop+jwt"}),
    "an algorithm said twice": lambda: with_head(b'{"alg":"none","alg":"RS256","kid":"rsa"}'),
    "a head that is no object": lambda: with_head(b'["RS256"]'),
    "a head that is no JSON": lambda: with_head(b"{"),
    "a deep head": lambda: with_head(b'{"alg":"RS256","kid":"rsa","x":' + b"[" * 3_000 + b"]" * 3_000 + b"}"),
    "more grants than a token may have": lambda: token(grants=[f"read:a{i}" for i in range(101)]),
    "encrypted": lambda: "a.b.c.d.e",
    "two parts": lambda: ".".join(token().split(".")[:2]),
    "nothing but dots": lambda: "..",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_forged_token(forge: Callable[[], str]):
    with pytest.raises(RefusedToken) as refused:
        await principal_of(await reader(), forge())
    assert "ada" not in str(refused.value)
    assert "eve" not in str(refused.value)


async def test_grants_that_are_none_allow_nothing():
    jwt = await reader()
    for given in (None, 1, {"read:*": True}, [1, None, ["read:*"]], "read", "READ:*", ["write:order"]):
        assert (await principal_of(jwt, token(grants=given))).grants == ()


async def test_an_audience_among_others():
    assert (await principal_of(await reader(), token(aud=["others", AUDIENCE]))).name == "jwt:ada"


async def test_keys_that_are_none_of_an_issuer():
    """Symmetric, weak, for encryption, or of an unknown kind: passed over."""
    weak = RSAKey.generate_key(1_024, {"kid": "weak"}, auto_kid=False)
    encrypting = ECKey.generate_key("P-256", {"kid": "encrypting", "use": "enc"})
    jwt = await reader(RSA, SECRET, weak, encrypting)
    for key_id in ("weak", "encrypting", SECRET.kid):
        assert jwt.keys.find(key_id) is None
    assert jwt.keys.find("rsa") is not None
    # Of several keys one has to be named.
    with pytest.raises(RefusedToken):
        await principal_of(await reader(RSA, EC), token(head={"kid": None}))
    await principal_of(await reader(RSA), token(head={"kid": None}))


async def test_a_shared_secret(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_bytes(SECRET.raw_value + b"\n")
    settings = JwtSettings(issuer=ISSUER, audience=AUDIENCE, secret_file=str(file), algorithms=("HS256",))
    jwt = JwtReader(settings, make_issuer_keys(settings))
    assert (await principal_of(jwt, token(SECRET, "HS256"))).name == "jwt:ada"
    for other in (token(), token(OctKey.import_key("t" * 48), "HS256")):
        with pytest.raises(RefusedToken):
            await principal_of(jwt, other)
    file.write_bytes(b"short")
    short = JwtReader(settings, make_issuer_keys(settings))
    with pytest.raises(Unavailable, match="at least 32 bytes"):
        await principal_of(short, token(SECRET, "HS256"))


# --- With an issuer --------------------------------------------------------------------------------------------------


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with publishing() as found:
        yield found


@pytest.fixture
async def server(issuer: Issuer) -> AsyncIterator[Guarded]:
    async with guarded({"jwt": {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": issuer.url}}) as found:
        yield found


async def test_tokens_over_both_transports(server: Guarded, issuer: Issuer):
    good = token()
    for url in (server.http, server.grpc):
        async with AsyncClient(url, token=good) as client:
            await client.head()
        for forged in (signed_with_the_public_key(), token(aud="others"), token(exp=NOW - 60)):
            async with AsyncClient(url, token=forged) as client:
                with pytest.raises(Unauthenticated) as refused:
                    await client.head()
                assert forged not in str(refused.value)
    assert await server.status("Bearer " + token(more="x" * TOKEN_SIZE_BYTES_MAX)) in (401, 431)
    assert issuer.asked == 1


async def test_strangers_do_not_have_an_issuer_asked(server: Guarded, issuer: Issuer):
    began = time.monotonic()
    for i in range(30):
        assert await server.status("Bearer " + token(OTHER, head={"kid": f"k{i}"})) == 401
    assert issuer.asked <= 2 + (time.monotonic() - began) / JWKS_UNKNOWN_KEY_S


async def test_keys_change_and_an_issuer_goes_away(issuer: Issuer):
    new = RSAKey.generate_key(2_048, {"kid": "new"})
    settings = JwtSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=issuer.url, algorithms=("RS256",))
    fetching = make_issuer_keys(settings)
    jwt = JwtReader(settings, IssuerKeys(fetching._fetch, unknown_key_s=0.0))
    old = token()
    await principal_of(jwt, old)
    # While it is away or answers nonsense, the last keys hold, and new ones are unknown.
    for issuer.answer, issuer.status in ((b"", 503), (b"<html>", 200), (b"[" * 100_000, 200), ({"keys": []}, 200)):
        with pytest.raises(RefusedToken):
            await principal_of(jwt, token(new))
        await principal_of(jwt, old)
        assert jwt.keys.why_not_ready() is not None
    issuer.answer = b"x" * (JWKS_SIZE_BYTES_MAX + 1)
    await jwt.keys.look_soon()
    assert "bytes" in (jwt.keys.why_not_ready() or "")
    # A new key is known with its first token; the old one is gone, and so are its tokens.
    issuer.answer, issuer.status = published(new), 200
    known = jwt.read(old)
    assert isinstance(known, Known)
    assert known.source.vouches_for(known)
    await principal_of(jwt, token(new))
    assert not known.source.vouches_for(known)
    with pytest.raises(RefusedToken):
        await principal_of(jwt, old)
    assert jwt.keys.why_not_ready() is None


async def test_an_issuer_that_never_answered(issuer: Issuer):
    issuer.status = 500
    async with guarded({"jwt": {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": issuer.url}}) as server:
        status, problem = await server.answer("Bearer " + token())
        assert (status, problem["code"]) == (503, "unavailable")
        assert await server.status("Bearer " + await server.key("read:*")) == 200


async def test_a_token_that_expires_ends_its_stream(server: Guarded):
    soon = token(exp=int(time.time()) - JWT_LEEWAY_S + 3)
    for url in (server.http, server.grpc):
        async with AsyncClient(url, token=soon) as client, asyncio.timeout(60):
            with pytest.raises(Unauthenticated):
                async for _ in client.subscribe():
                    pass


# --- Settings --------------------------------------------------------------------------------------------------------

ANY: Final = {"issuer": "i", "audience": "a"}
JWT: Final = ANY | {"jwks_file": "f"}


@pytest.mark.parametrize(
    ("access", "pointer"),
    [
        ({"keys": False}, "/access"),
        ({"keyz": True}, "/access"),
        ({"jwt": ANY}, "/access/jwt/jwks_url"),
        ({"jwt": JWT | {"secret_file": "s"}}, "/access/jwt/jwks_url"),
        ({"jwt": JWT | {"algorithms": ["none"]}}, "/access/jwt/algorithms"),
        ({"jwt": JWT | {"algorithms": ["RS256", "HS256"]}}, "/access/jwt/algorithms"),
        (
            {"jwt": ANY | {"secret_file": "s", "algorithms": ["RS256"]}},
            "/access/jwt/algorithms",
        ),
        ({"jwt": ANY | {"jwks_url": "http://issuer.example"}}, "/access/jwt/jwks_url"),
        (
            {"jwt": ANY | {"jwks_url": "http://localhost.evil.example"}},
            "/access/jwt/jwks_url",
        ),
        ({"jwt": ANY | {"jwks_url": "file:///etc/passwd"}}, "/access/jwt/jwks_url"),
        ({"jwt": JWT | {"issuer": ""}}, "/access/jwt/issuer"),
        ({"certificates": {"a": ["write:x"]}}, "/access/certificates/a/0"),
    ],
)
def test_settings_that_are_none(access: dict[str, Any], pointer: str):
    with pytest.raises(InvalidRequest) as refused:
        check_access(access)
    assert refused.value.pointer == pointer
