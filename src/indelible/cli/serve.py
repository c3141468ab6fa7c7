"""indelible serve"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from indelible.cli.command import ConfigFile
from indelible.cli.output import print_fields, print_line
from indelible.server.config import load_settings

if TYPE_CHECKING:
    from indelible.server.process import ServerUrls

Store = Annotated[
    str | None, typer.Option(metavar="URL", help="Where events are kept. [INDELIBLE_STORE, sqlite:data/indelible.db]")
]
Http = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Where the REST API listens. [INDELIBLE_HTTP, 127.0.0.1:8080]")
]
Grpc = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Where the API over gRPC listens. [INDELIBLE_GRPC, off]")
]
Workers = Annotated[
    str | None, typer.Option(metavar="N", help="Processes that serve on the same ports. [INDELIBLE_WORKERS, 1]")
]
LogFormat = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="auto, console or json. [INDELIBLE_LOG_FORMAT, auto]")
]
LogLevel = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error. [INDELIBLE_LOG_LEVEL]")
]
AccessLog = Annotated[bool | None, typer.Option("--access-log", help="Log every request. [INDELIBLE_ACCESS_LOG]")]
VerifyEvery = Annotated[
    str | None,
    typer.Option(metavar="HOURS", help="How often to verify the log meanwhile. [INDELIBLE_VERIFY_EVERY_H, 0: never]"),
]
ShutdownGrace = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="How long to wait for what is in flight. [INDELIBLE_SHUTDOWN_GRACE_S, 20]"),
]

DrainDelay = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="How long to serve on before that, not ready. [INDELIBLE_DRAIN_DELAY_S, 0]"),
]
Insecure = Annotated[
    bool | None,
    typer.Option("--insecure", help="Let other machines reach it without [access] and [tls]. [INDELIBLE_INSECURE]"),
]


def serve(
    *,
    store: Store = None,
    http: Http = None,
    grpc: Grpc = None,
    workers: Workers = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    access_log: AccessLog = None,
    verify_every_h: VerifyEvery = None,
    shutdown_grace_s: ShutdownGrace = None,
    drain_delay_s: DrainDelay = None,
    insecure: Insecure = None,
    config: ConfigFile = None,
) -> None:
    """Run a server on a local store.

    It stops at SIGTERM or Ctrl-C once what is in flight is answered. Exit code 74 says that the storage has failed:
    the server has stopped to lose nothing that it acknowledged. Exit code 2 says that a setting is not allowed, or that
    another program has the port: --http 127.0.0.1:0 takes any that is free.

    With --workers N, N processes serve on the same ports. That needs a store that several processes may write, such as
    PostgreSQL. A worker that dies is replaced.

    It listens where other machines can reach it only if the TOML file has the tables [access] and [tls], or if
    --insecure says that a proxy or a network keeps others out.

    \b
    indelible serve --store sqlite:data/indelible.db
    indelible serve --config /etc/indelible.toml --http 0.0.0.0:8080
    """
    flags = {
        "store": store,
        "http": http,
        "grpc": grpc,
        "workers": workers,
        "log_format": log_format,
        "log_level": log_level,
        "access_log": access_log,
        "verify_every_h": verify_every_h,
        "shutdown_grace_s": shutdown_grace_s,
        "drain_delay_s": drain_delay_s,
        "insecure": insecure,
    }
    settings = load_settings(flags, config_file=config).settings
    from indelible.server.compose import run
    from indelible.server.process import is_for_people

    # JSON logs are for machines, and the line that says "serving" has the URL.
    code = run(settings, on_ready=_welcome if is_for_people(settings.log_format) else None)
    raise typer.Exit(code)


def _welcome(urls: "ServerUrls") -> None:
    """What to try first. A server that listens everywhere is reached at the loopback address too."""
    url = _reachable(urls.url)
    grpc = [] if urls.grpc_url is None else [("gRPC", _reachable(urls.grpc_url))]
    esdb = [] if urls.esdb_url is None else [("KurrentDB", _reachable(urls.esdb_url))]
    print_fields([("API", f"{url}/v1"), *grpc, *esdb, ("docs", f"{url}/docs"), ("metrics", f"{url}/metrics")])
    print_line("Try it:")
    print_line(f"""  curl -s {url}/v1/aggregates/order/o-1/events -H 'content-type: application/json' \\
    -d '{{"events": [{{"event_type": "OrderPlaced", "event_data": {{"total": 42.50}}}}]}}'""")
    print_line(f"  curl -s {url}/v1/aggregates/order/o-1/events")
    sys.stdout.flush()


def _reachable(url: str) -> str:
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
