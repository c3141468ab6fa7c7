"""indelible info"""

import msgspec

from indelible.cli.options import ConfigFile, Json, Store, Url
from indelible.cli.output import print_fields, print_json, print_line, print_table
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.eventstore import AggregateTypeInfo, EventTypeInfo
from indelible.server.config import shown_url


class Info(msgspec.Struct):
    store: str
    head: int
    aggregate_types: tuple[AggregateTypeInfo, ...]
    event_types: tuple[EventTypeInfo, ...]


def info(*, url: Url = None, store: Store = None, config: ConfigFile = None, json: Json = False) -> None:
    """Show what a store holds.

    Its head, and how many aggregates and events of which types.

    \b
    indelible info --store sqlite:data/indelible.db
    """
    run(_info(Target.chosen(url, store, config), json))


async def _info(target: Target, json: bool) -> None:
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
