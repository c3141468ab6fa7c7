"""indelible group pull, ack, nack, extend: consuming step by step, for scripts and for trying out"""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
import typer

from indelible.cli.events_output import describe_event
from indelible.cli.exit_codes import FAILED
from indelible.cli.group_store import Group, open_groups
from indelible.cli.options import ConfigFile, Json, Store, Url
from indelible.cli.output import note, print_json, print_line, print_parts
from indelible.cli.running import run
from indelible.cli.target import Target
from indelible.eventstore import EventStore
from indelible.groups import Delivery, Settled

Ids = Annotated[list[str], typer.Argument(metavar="DELIVERY_ID", help="Ids that pull gave.")]
Member = Annotated[str, typer.Option(metavar="NAME", help="Who this is, for people to read.")]


def pull(
    group: Group,
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Take at most N.")] = 1,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="Wait so long when there is nothing.")] = 0.0,
    member: Member = "",
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Take events that are to be acknowledged, and print them.

    Each is delivered again unless it is acknowledged in the group's time. Prints nothing when nothing is to be had.
    "indelible group consume" does all of it.

    \b
    indelible group pull billing --limit 10 --wait 30 --json
    """
    run(_pull(Target.chosen(url, store, config), group, limit, wait, member, json=json))


async def _pull(target: Target, group: str, limit: int, wait: float, member: str, *, json: bool) -> None:
    async with open_groups(target, read_only=False) as store:
        for delivery in await store.groups.pull(group, member=member, limit=limit, wait_s=wait):
            if json:
                print_json(_as_json(delivery))
            else:
                parts = describe_event(delivery.event)
                print_parts((f"{delivery.delivery_id}  ", "bold"), (f"attempt {delivery.attempt}  ", "dim"), *parts)


def _as_json(delivery: Delivery) -> dict[str, object]:
    return {
        "delivery_id": delivery.delivery_id,
        "attempt": delivery.attempt,
        "deadline": delivery.deadline,
        "event": msgspec.Raw(delivery.line),
    }


def ack(
    group: Group,
    delivery_ids: Ids,
    *,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Acknowledge deliveries: their events are done.

    Exit code 1 says that some are lost: their time was over and they went to somebody else, or the group was reset.

    \b
    indelible group ack billing 1042-1767225600000001
    """

    async def settle(store: EventStore) -> Settled:
        return await store.groups.ack(group, delivery_ids)

    run(_settle(Target.chosen(url, store, config), settle, "acknowledged", json=json))


def nack(
    group: Group,
    delivery_ids: Ids,
    *,
    delay: Annotated[float, typer.Option(metavar="SECONDS", help="Deliver again after so long.")] = 0.0,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with a parked event.")] = "",
    park: Annotated[bool, typer.Option("--park", help="Park at once.")] = False,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Refuse deliveries: their events are delivered again, or parked after their last attempt.

    Exit code 1 says that some are lost to the caller already.

    \b
    indelible group nack billing 1042-1767225600000001 --delay 60 --reason 'the bank is closed'
    """

    async def settle(store: EventStore) -> Settled:
        return await store.groups.nack(group, delivery_ids, delay_s=delay, reason=reason, park=park)

    run(_settle(Target.chosen(url, store, config), settle, "refused", json=json))


def extend(
    group: Group,
    delivery_ids: Ids,
    *,
    ack_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="So long from now. [the group's time]")
    ] = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Ask for more time to acknowledge deliveries.

    Exit code 1 says that some are lost to the caller already.

    \b
    indelible group extend billing 1042-1767225600000001 --ack-timeout 300
    """

    async def settle(store: EventStore) -> Settled:
        return await store.groups.extend(group, delivery_ids, ack_timeout_s=ack_timeout)

    run(_settle(Target.chosen(url, store, config), settle, "extended", json=json))


async def _settle(target: Target, settle: Callable[[EventStore], Awaitable[Settled]], done: str, *, json: bool) -> None:
    async with open_groups(target, read_only=False) as store:
        settled = await settle(store)
    if json:
        print_json(settled)
    else:
        print_line(f"{done}: {settled.settled}")
        for delivery_id in settled.lost:
            note(f"lost: {delivery_id}")
    if settled.lost:
        raise typer.Exit(FAILED)
