"""What it costs to know who asks, and to encrypt: single appends to a server that asks nothing, and to ones that take
keys, JWTs and TLS, in turn."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

import trustme
from joserfc import jwt
from joserfc.jwk import ECKey

from benchmarks import stores
from benchmarks.appends import append_load, body_with_id
from benchmarks.report import Figure
from benchmarks.server import Server
from benchmarks.stores import Options
from benchmarks.wrk import Load

_START_S = 0.5
_START_S = 0.5
_ISSUER, _AUDIENCE = "https://issuer.example", "indelible"


class _Case(NamedTuple):
    what: str
    goal: float | None
    """The share of the rate that it may cost."""
    settings: str = ""
    token: str | None = None


def access(options: Options) -> Iterator[Figure]:
    folder = options.folder / "access"
    folder.mkdir(exist_ok=True)
    cases = [_Case("nobody is asked", None), _key(folder), _jwt(folder), _tls(folder)]
    with ExitStack() as running:
        servers = [running.enter_context(_server(options, folder, case)) for case in cases]
        rounds = [
            [
                append_load(server, options, body_with_id(), token=case.token)
                for server, case in zip(servers, cases, strict=True)
            ]
            for _ in range(options.rounds)
        ]
    for n, case in enumerate(cases):
        yield from _figures(case, [some[n] for some in rounds], [some[0] for some in rounds])


def _figures(case: _Case, loads: list[Load], plain: list[Load]) -> Iterator[Figure]:
    middle = sorted(loads, key=lambda one: one.per_s)[len(loads) // 2]
    errors = sum(one.errors for one in loads)
    yield Figure(
        f"single-event appends, {case.what}",
        middle.per_s,
        "events/s",
        "",
        None,
        middle.latencies_ms,
        errors,
        middle.server_use,
    )
    if case.goal is not None:
        kept = median(one.per_s / first.per_s for one, first in zip(loads, plain, strict=True))
        least = 1 - case.goal
        yield Figure(f"... of the plain rate, {case.what}", kept, "", f"≥ {least:.2f}", kept >= least and not errors)


def _server(options: Options, folder: Path, case: _Case) -> Server:
    config = folder / f"{case.what}.toml"
    config.write_text(case.settings)
    store = f"sqlite:{folder}/keys.db" if case.token is not None and "jwt" not in case.settings else None
    empty = stores.empty(options, f"access-{case.what.replace(' ', '-')}")
    return _Guarded(store or empty, "--config", str(config))


class _Guarded(Server):
    """It is not asked whether it is ready, since who may do that is what differs."""

    def get(self, path: str, accept: str = "*/*") -> bytes:
        if path != "/readyz":
            return super().get(path, accept)
        time.sleep(_START_S)
        return b""


def _key(folder: Path) -> _Case:
    store = f"sqlite:{folder}/keys.db"
    for old in folder.glob("keys.db*"):
        old.unlink()
    command = [sys.executable, "-m", "indelible.cli.main", "key", "create", "--name", "bench", "--grant", "append:*"]
    command += ["--store", store, "--json"]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return _Case("a key", 0.10, "[access]\n", json.loads(made)["key"])


def _jwt(folder: Path) -> _Case:
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    (folder / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    now = int(time.time())
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": "bench", "exp": now + 86_400, "grants": ["append:*"]}
    token = jwt.encode({"alg": "ES256", "kid": "bench"}, claims, key)
    of = f'issuer = "{_ISSUER}"\naudience = "{_AUDIENCE}"\njwks_file = "{folder}/jwks.json"\n'
    return _Case("a JWT", 0.15, f"[access.jwt]\n{of}", token)


def _tls(folder: Path) -> _Case:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "tls.pem"))
    return _Case("TLS", 0.20, f'[tls]\ncertificate = "{folder}/tls.pem"\nkey = "{folder}/tls.key"\n')
