"""indelible init, info, verify, reindex and config show: looking after a store"""

import os
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
import typer

from indelible.cli.command import DAMAGED, ConfigFile, Json, Store, Target, Url, on_store, open_store, run
from indelible.cli.output import note, print_error, print_fields, print_json, print_line, print_table, progress
from indelible.errors import StoreCorrupted
from indelible.eventstore import AggregateTypeInfo, EventTypeInfo
from indelible.server.config import NAMES, IndexSettings, load_settings, shown_url

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


def init(
    *,
    store: InitStore = None,
    runtime_role: RuntimeRole = None,
    post_deploy: PostDeploy = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make a store, or bring its schema to the newest version.

    A server does the same by itself when its role may. Where it may not, run this as the owner of the database, before
    servers of a new version start; they and those of the version before then run side by side. Once the old ones are
    gone, run it again with --post-deploy. All of it may be repeated.

    The runtime role owns nothing: it reads, adds events, saves snapshots and keeps groups and relays, and can change or
    delete no event. Its password, if it needs one, is taken from INDELIBLE_RUNTIME_PASSWORD.

    \b
    indelible init --store postgresql://owner@db.internal/events --runtime-role indelible
    """
    url = load_settings({"store": store}, config_file=config).settings.store
    run(_init(url, runtime_role, post_deploy=post_deploy, json=json))


async def _init(url: str, runtime_role: str | None, *, post_deploy: bool, json: bool) -> None:
    from indelible.core.open import init_store

    password = os.environ.get(PASSWORD_VARIABLE) or None
    report = await init_store(url, runtime_role=runtime_role, password=password, post_deploy=post_deploy)
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


# --- verify ----------------------------------------------------------------------------------------------------------


@on_store
async def verify(target: Target, *, json: Json = False) -> None:
    """Check the hash chain of the whole log.

    Exit code 5 names damage: the first position that is not as it was written. A server may have the store open. Keep
    the printed position and hash somewhere else, to see later that no end was cut off and nothing was rewritten.

    \b
    indelible verify --store sqlite:data/indelible.db
    """
    from indelible.core.verify import verify as verify_log

    try:
        with progress("verifying") as advance:
            async with open_store(target, read_only=True, retry_total_s=10) as store:
                report = await verify_log(store, on_progress=advance)
    except StoreCorrupted as error:
        # The damage is such that not even the store can be opened, or its head be found.
        print_error(error, as_json=json)
        raise typer.Exit(DAMAGED) from None
    damage = report.damage
    if json:
        print_json(report)
    else:
        result = "ok" if damage is None else f"damaged at position {damage.position}"
        print_fields([("result", result), ("head", report.head), ("verified", report.verified), ("hash", report.hash)])
    if damage is not None:
        if not json:
            note(f"indelible: DAMAGED: the event at position {damage.position} {damage.reason}")
        raise typer.Exit(DAMAGED)


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


@config.callback()
def _group() -> None:
    """Keeps "show" a command of its own, which typer would fold into its group."""


@config.command("show")
def show_config(*, url: Url = None, store: Store = None, config_file: ConfigFile = None, json: Json = False) -> None:
    """Show every setting, its value and where that comes from.

    Flags override INDELIBLE_* variables, those override the TOML file, that the defaults.

    \b
    INDELIBLE_HTTP=0.0.0.0:8080 indelible config show
    """
    loaded = load_settings({"url": url, "store": store}, config_file=config_file)
    values = {name: _shown(getattr(loaded.settings, name)) for name in NAMES}
    if json:
        print_json({name: {"value": values[name], "source": loaded.sources[name].name} for name in NAMES})
    else:
        rows = [(name, "-" if values[name] is None else values[name], loaded.sources[name].name) for name in NAMES]
        print_table(("setting", "value", "source"), rows)


def _shown(value: object) -> object:
    """As it is written in a TOML file, but for a relay, of which the URL is enough."""
    if isinstance(value, IndexSettings):
        fields = ", ".join(sorted(value.fields)) or "no fields"
        return f"{fields} in {shown_url(value.store)}" if value.store else fields
    if isinstance(value, Mapping):
        return ", ".join(f"{name} to {shown_url(relay.to)}" for name, relay in value.items()) or None
    return value if value is None or isinstance(value, (int, float)) else shown_url(str(value))
