"""indelible init, info, reindex, config show and config check: looking after a store"""

import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
import typer

from indelible.cli.command import USAGE, ConfigFile, ContextName, Json, Store, Target, Url, on_store, open_store, run
from indelible.cli.contexts import load_with_context
from indelible.cli.output import note, print_fields, print_json, print_line, print_table, progress
from indelible.eventstore import AggregateTypeInfo, EventTypeInfo
from indelible.server.access_settings import AccessSettings
from indelible.server.config import (
    NAMES,
    IndexSettings,
    OtelSettings,
    RelaySettings,
    WireSettings,
    find_bad_settings,
    load_settings,
    shown_url,
)
from indelible.server.network_settings import LimitSettings, TlsSettings

# --- init ------------------------------------------------------------------------------------------------------------

PASSWORD_VARIABLE: Final = "INDELIBLE_RUNTIME_PASSWORD"  # noqa: S105 - the name of a variable

InitStore = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="The store to make or to migrate. [INDELIBLE_STORE]")
]
RuntimeRole = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A database role for servers; made if there is none, with the least rights."),
]
PostDeploy = Annotated[
    bool, typer.Option("--post-deploy", help="Also do the steps for which no server of an older version may be left.")
]

Replication = Annotated[
    str | None,
    typer.Option(
        metavar="COPIES", help="How many copies a new keyspace of Cassandra has: 3, or east=3,west=3. 3 if not given."
    ),
]


def init(
    *,
    store: InitStore = None,
    runtime_role: RuntimeRole = None,
    replication: Replication = None,
    post_deploy: PostDeploy = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make a store, or bring its schema to the newest version.

    A server does the same by itself when its role may, but on Cassandra never. Where it may not, run this as the owner
    of the database, before servers of a new version start; they and those of the version before then run side by side.
    Once the old ones are gone, run it again with --post-deploy. All of it may be repeated, on Cassandra not by two at
    once.

    The runtime role owns nothing: it reads, adds events, saves snapshots and keeps groups and relays, and can change or
    delete no event. Its password, if it needs one, is taken from INDELIBLE_RUNTIME_PASSWORD.

    \b
    indelible init --store postgresql://owner@db.internal/events --runtime-role indelible
    indelible init --store cassandra://c1.internal,c2.internal/events --replication 3
    """
    url = load_settings({"store": store}, config_file=config).settings.store
    run(_init(url, runtime_role, replication, post_deploy=post_deploy, json=json))


async def _init(url: str, runtime_role: str | None, replication: str | None, *, post_deploy: bool, json: bool) -> None:
    from indelible.core.open import init_store

    password = os.environ.get(PASSWORD_VARIABLE) or None
    report = await init_store(
        url, runtime_role=runtime_role, password=password, post_deploy=post_deploy, replication=replication
    )
    if json:
        print_json(report)
        return
    steps = ", ".join(report.steps) or "none were missing"
    fields: list[tuple[str, object]] = [("store", shown_url(url)), ("steps", steps)]
    if report.runtime_role is not None:
        fields.append(("role", f"{report.runtime_role} ({'made' if report.is_role_new else 'was there'})"))
    print_fields(fields)


# --- info ------------------------------------------------------------------------------------------------------------


class Info(msgspec.Struct):
    store: str
    head: int
    aggregate_types: tuple[AggregateTypeInfo, ...]
    event_types: tuple[EventTypeInfo, ...]


@on_store
async def info(target: Target, *, json: Json = False) -> None:
    """Show what a store holds.

    Its head, and how many aggregates and events of which types.

    \b
    indelible info --store sqlite:data/indelible.db
    """
    async with open_store(target, read_only=True) as store:
        head = await store.head()
        found = Info(shown_url(target.url), head.position, await store.aggregate_types(), await store.event_types())
    if json:
        print_json(found)
        return
    print_fields([("store", found.store), ("head", found.head)])
    if found.head:
        print_line("")
        rows = [(one.aggregate_type, one.aggregates, one.events) for one in found.aggregate_types]
        print_table(("aggregate_type", "aggregates", "events"), rows, numbers=("aggregates", "events"))
        print_line("")
        pairs = [(one.aggregate_type, one.event_type, one.events) for one in found.event_types]
        print_table(("aggregate_type", "event_type", "events"), pairs, numbers=("events",))


# --- reindex ---------------------------------------------------------------------------------------------------------

ReindexStore = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="The store, which nobody has open. [INDELIBLE_STORE]")
]


class Reindexed(msgspec.Struct):
    store: str
    indexed: int


def reindex(*, store: ReindexStore = None, config: ConfigFile = None, json: Json = False) -> None:
    """Make the index of a store in a file anew from its log.

    A store does so by itself when its index is missing or broken; this is for one that "verify" found to lack
    something, and after which no server runs that would mend it. The log is only read. Nobody may have the store open
    for writing meanwhile.

    \b
    indelible reindex --store sqlite:data/indelible.db
    """
    url = load_settings({"store": store}, config_file=config).settings.store
    run(_reindex(url, json=json))


async def _reindex(url: str, *, json: bool) -> None:
    from indelible.core.open import reindex_store

    with progress("indexing") as advance:
        made = Reindexed(shown_url(url), await reindex_store(url, advance))
    if json:
        print_json(made)
    else:
        print_fields([("store", made.store), ("indexed", made.indexed)])


# --- config show -----------------------------------------------------------------------------------------------------

config = typer.Typer(help="Look at the settings.", rich_markup_mode=None)


@config.command("show")
def show_config(
    *,
    url: Url = None,
    store: Store = None,
    context: ContextName = None,
    config_file: ConfigFile = None,
    json: Json = False,
) -> None:
    """Show every setting, its value and where that comes from.

    Flags override INDELIBLE_* variables, those override the TOML file, that the defaults. A context stands for flags
    when --context names it; one that INDELIBLE_CONTEXT or "context use" names counts where nothing else names a server
    or a store.

    \b
    INDELIBLE_HTTP=0.0.0.0:8080 indelible config show
    """
    loaded = load_with_context({"url": url, "store": store}, config_file=config_file, context=context)
    values = {name: _shown(name, getattr(loaded.settings, name)) for name in NAMES}
    if json:
        print_json({name: {"value": values[name], "source": loaded.sources[name].name} for name in NAMES})
    else:
        rows = [(name, "-" if values[name] is None else values[name], loaded.sources[name].name) for name in NAMES]
        print_table(("setting", "value", "source"), rows)


def _shown(name: str, value: Any) -> object:
    """As it is written in a TOML file, but for a table, of which what tells most is enough, and without secrets."""
    if name == "token":
        return value and "***"
    show = _SHOWN.get(type(value))
    if show is not None:
        return show(value)
    return value if value is None or isinstance(value, (int, float)) else shown_url(str(value))


def _shown_index(index: IndexSettings) -> str:
    fields = ", ".join(sorted(index.fields)) or "no fields"
    return f"{fields} in {shown_url(index.store)}" if index.store else fields


def _shown_limits(limits: LimitSettings) -> str:
    given = [(name, limit) for name, limit in msgspec.structs.asdict(limits).items() if limit]
    return ", ".join(f"{name} {', '.join(limit) if isinstance(limit, dict) else limit}" for name, limit in given)


def _shown_access(access: AccessSettings) -> str:
    issuer = [] if access.jwt is None else [f"tokens of {access.jwt.issuer}"]
    certificates = [f"certificate {one}" for one in access.certificates]
    return ", ".join([*(["keys"] if access.keys else []), *issuer, *certificates])


def _shown_relays(relays: Mapping[str, RelaySettings]) -> str | None:
    return ", ".join(f"{name} to {shown_url(relay.to)}" for name, relay in relays.items()) or None


_SHOWN: Final[Mapping[type, Callable[[Any], object]]] = {
    IndexSettings: _shown_index,
    TlsSettings: lambda tls: tls.certificate,
    LimitSettings: _shown_limits,
    AccessSettings: _shown_access,
    WireSettings: lambda wire: None if wire.esdb is None else f"esdb at {wire.esdb.address}",
    OtelSettings: lambda otel: "OTLP" if otel.endpoint is None else f"OTLP to {shown_url(otel.endpoint)}",
    dict: _shown_relays,
}


# --- config check ----------------------------------------------------------------------------------------------------


class BadSetting(msgspec.Struct):
    setting: str
    source: str
    message: str


@config.command("check")
def check_config(*, config_file: ConfigFile = None, json: Json = False) -> None:
    """Check every setting, and name all that are wrong.

    Looks at the TOML file and the INDELIBLE_* variables, and opens nothing: "doctor" looks further. Exit code 2 says
    that something is wrong.

    \b
    indelible config check --config /etc/indelible/indelible.toml
    """
    from indelible.server.relays import check_sink

    bad = [
        BadSetting(error.pointer.strip("/"), error.fields.get("source", ""), error.message)
        for error in find_bad_settings(config_file=config_file, check_sink=check_sink)
    ]
    if json:
        print_json({"bad": bad})
    elif bad:
        for one in bad:
            note(f"indelible: {one.message}")
    else:
        print_line("all settings are good")
    if bad:
        raise typer.Exit(USAGE)
