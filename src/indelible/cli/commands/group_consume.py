"""indelible group consume: runs a command for every event of a group"""

import shutil
from typing import Annotated

import typer

from indelible.cli.commands.group_deliveries import Member
from indelible.cli.consuming import CommandConsumer
from indelible.cli.group_store import Group, open_groups
from indelible.cli.options import ConfigFile, Limit, Store, Url
from indelible.cli.running import run
from indelible.cli.target import Target
from indelible.errors import InvalidRequest
from indelible.groups import check_member, check_nack
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S, GROUP_COMMANDS_MAX


def consume(
    group: Group,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="Command and arguments; put -- before.")],
    *,
    jobs: Annotated[
        int, typer.Option(min=1, max=GROUP_COMMANDS_MAX, metavar="N", help="Commands that run at once.")
    ] = 1,
    delay: Annotated[
        float, typer.Option(metavar="SECONDS", help="Before an event whose command failed is delivered again.")
    ] = 1.0,
    wait: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="End when nothing came for so long. [never]")
    ] = None,
    limit: Limit = None,
    member: Member = "",
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
) -> None:
    """Run a command for every event of a group, until Ctrl-C.

    The command gets the event as a line of JSON on stdin. Exit code 0 acknowledges the event; any other refuses it, so
    that it comes again, and is parked after the group's last attempt. While the command runs the group's time is
    extended: wrap one that may hang in "timeout".

    Ctrl-C and SIGTERM let the commands that run come to their end; the second time they are ended. A server that
    restarts is waited for.

    Exit code 1 says that a command failed, 130 that it was Ctrl-C.

    \b
    indelible group consume billing -- ./bill.sh
    indelible group consume mails --jobs 8 -- timeout 60 ./send-mail --from shop@example.org
    indelible group consume billing --wait 0 -- jq -c .event_data
    """
    target = Target.chosen(url, store, config)
    if shutil.which(command[0]) is None:
        raise InvalidRequest(f"there is no command {command[0]} that can be run", pointer="/command")
    check_member(member)
    check_nack(delay, reason="", park=False)
    consumer = CommandConsumer(group, command, member=member, delay_s=delay, wait_s=wait, limit=limit)
    run(_consume(target, consumer, jobs))


async def _consume(target: Target, consumer: CommandConsumer, jobs: int) -> None:
    async with open_groups(target, read_only=False, retry_total_s=CLIENT_RETRY_TOTAL_MAX_S) as store:
        code = await consumer.consume(store.groups, jobs)
    raise typer.Exit(code)
