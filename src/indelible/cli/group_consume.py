"""indelible group consume: runs a command for every event that a consumer group delivers"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

import typer

from indelible.cli.command import FAILED, INTERRUPTED, OK, Limit, Target, on_store, open_store, with_hint
from indelible.cli.completion import complete_groups
from indelible.cli.output import describe, note
from indelible.consumer import Consumer
from indelible.errors import GroupExists, GroupNotFound, IndelibleError, InvalidRequest, ParkedEventNotFound
from indelible.groups import ConsumerGroups, Delivery, check_member, check_nack
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S, GROUP_COMMANDS_MAX, GROUP_REASON_LENGTH_MAX
from indelible.tasks import on_signals

Group = Annotated[str, typer.Argument(help="The group's name.", autocompletion=complete_groups)]
Member = Annotated[str, typer.Option(metavar="NAME", help="Who this is, for people to read.")]

_EXTENSIONS_PER_TIMEOUT: Final = 3
"""Of the time to acknowledge an event, so that one that comes late does no harm."""


@contextlib.asynccontextmanager
async def open_groups(
    target: Target, *, read_only: bool, retry_total_s: float | None = 2.0
) -> AsyncIterator[ConsumerGroups]:
    """The groups of a store, as :func:`open_store` opens it; errors about groups say which command helps."""
    try:
        async with open_store(target, read_only=read_only, retry_total_s=retry_total_s) as store:
            yield store.groups
    except GroupNotFound as error:
        raise with_hint(error, "list those there are: indelible group list") from None
    except GroupExists as error:
        raise with_hint(error, "look at it: indelible group show; take another name, or change it") from None
    except ParkedEventNotFound as error:
        raise with_hint(error, "list them: indelible group parked; nothing was done") from None


@on_store
async def consume(
    target: Target,
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
) -> None:
    """Run a command for every event of a group, until Ctrl-C.

    The command gets the event as a line of JSON on stdin. Exit code 0 acknowledges the event; any other refuses it, so
    that it comes again, and is parked after the group's last attempt. While the command runs the group's time is
    extended: wrap one that may hang in "timeout".

    Ctrl-C and SIGTERM let the commands that run come to their end; the second time they are ended. A server that
    is out of reach is waited for, for ever without --wait.

    Exit code 1 says that a command failed, 130 that it was Ctrl-C.

    \b
    indelible group consume billing -- ./bill.sh
    indelible group consume mails --jobs 8 -- timeout 60 ./send-mail --from shop@example.org
    indelible group consume billing --wait 0 -- jq -c .event_data
    """
    if shutil.which(command[0]) is None:
        raise InvalidRequest(f"there is no command {command[0]} that can be run", pointer="/command")
    check_member(member)
    check_nack(delay, reason="", park=False)
    retry_total_s = None if wait is None else max(wait, CLIENT_RETRY_TOTAL_MAX_S)
    async with open_groups(target, read_only=False, retry_total_s=retry_total_s) as groups:
        ack_timeout_s = (await groups.get(group)).ack_timeout_s
        jobs = min(jobs, limit or jobs)
        async with Consumer(groups, group, member=member, max_in_flight=jobs, wait_s=wait) as consumer:
            code = await _Jobs(consumer, command, delay_s=delay, ack_timeout_s=ack_timeout_s, limit=limit).run(jobs)
    raise typer.Exit(code)


class _Jobs:
    """Each runs the command for one delivery after the other: acknowledges it when the command ends with 0, and refuses
    it otherwise. ``limit``: how many they take together."""

    def __init__(
        self, consumer: Consumer, command: Sequence[str], *, delay_s: float, ack_timeout_s: float, limit: int | None
    ) -> None:
        self._consumer: Final = consumer
        self._command: Final = command
        self._delay_s: Final = delay_s
        self._ack_timeout_s: Final = ack_timeout_s
        self._left = float("inf") if limit is None else limit
        self._stopping: asyncio.Task[None] | None = None
        self._exit_code = OK
        self._running: Final[set[int]] = set()
        """Process groups."""

    async def run(self, jobs: int) -> int:
        """Until they are told to stop, or have had enough; returns the exit code. Raises what the store raises."""
        with on_signals(self._on_signal, signal.SIGINT, signal.SIGTERM):
            ends = await asyncio.gather(*(self._work() for _ in range(jobs)), return_exceptions=True)
        for error in filter(None, ends):
            raise error
        return self._exit_code

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping is not None:
            for process_group in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process_group, signal.SIGTERM)
            return
        self._stopping = asyncio.create_task(self._consumer.aclose(), name="stop-consuming")
        if number == signal.SIGINT:
            self._exit_code = INTERRUPTED
        if self._running:
            note("indelible: waits for the commands that run; once more ends them")

    async def _work(self) -> None:
        try:
            while self._left and (delivery := await self._consumer.next_delivery()) is not None:
                self._left -= 1
                if not self._left:
                    await self._consumer.aclose()
                async with self._extending(delivery):
                    code = await self._run(delivery)
                await self._settle(delivery, code)
        except BaseException:
            await self._consumer.aclose()
            raise

    @contextlib.asynccontextmanager
    async def _extending(self, delivery: Delivery) -> AsyncIterator[None]:
        """Keeps the event for as long as its command runs."""
        extending = asyncio.create_task(self._extend(delivery))
        try:
            yield
        finally:
            extending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await extending

    async def _extend(self, delivery: Delivery) -> None:
        is_ours = True
        while is_ours:
            await asyncio.sleep(self._ack_timeout_s / _EXTENSIONS_PER_TIMEOUT)
            try:
                is_ours = await self._consumer.extend(delivery, ack_timeout_s=self._ack_timeout_s)
            except IndelibleError as error:
                _report(delivery, f"cannot get more time: {describe(error)}")

    async def _run(self, delivery: Delivery) -> int:
        """The exit code; negative: the number of the signal that ended the command."""
        # A file, as a pipe would have to be filled while the command runs, whether it reads or not.
        with tempfile.TemporaryFile() as event:
            event.write(bytes(delivery.line) + b"\n")
            event.seek(0)
            try:
                # A process group of its own: Ctrl-C is for the consumer alone.
                process = await asyncio.create_subprocess_exec(*self._command, stdin=event, process_group=0)
            except OSError as error:
                await self._consumer.nack(delivery, reason=f"{self._command[0]}: {error.strerror}")
                raise
        self._running.add(process.pid)
        try:
            return await process.wait()
        finally:
            self._running.discard(process.pid)

    async def _settle(self, delivery: Delivery, code: int) -> None:
        if code == 0:
            is_ours = await self._consumer.ack(delivery)
        else:
            self._exit_code = self._exit_code or FAILED
            how = f"exited with code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
            reason = f"{self._command[0]} {how}"[-GROUP_REASON_LENGTH_MAX:]
            _report(delivery, reason)
            is_ours = await self._consumer.nack(delivery, delay_s=self._delay_s, reason=reason)
        if not is_ours:
            _report(delivery, "is lost: it was delivered to somebody else meanwhile, or the group was reset")


def _report(delivery: Delivery, text: str) -> None:
    event = delivery.event
    stream = f"{event.aggregate_type}-{event.aggregate_id}"
    note(f"{stream} {event.version}, position {event.position}, attempt {delivery.attempt}: {text}")
