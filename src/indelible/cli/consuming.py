"""Runs a command for every event that a consumer group delivers."""

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from indelible.cli.exit_codes import FAILED, INTERRUPTED, OK
from indelible.cli.output import describe, note
from indelible.errors import IndelibleError
from indelible.groups import ConsumerGroups, Delivery, Settled
from indelible.limits import GROUP_REASON_LENGTH_MAX, GROUP_WAIT_MAX_S
from indelible.tasks import first_of

_EXTENSIONS_PER_TIMEOUT: Final = 3
"""Of the time to acknowledge an event, so that one that comes late does no harm."""


class CommandConsumer:
    """Acknowledges an event when its command ends with 0, and refuses it otherwise. ``wait_s``: end after so long
    without an event. ``limit``: end after so many."""

    def __init__(
        self,
        group: str,
        command: Sequence[str],
        *,
        member: str,
        delay_s: float,
        wait_s: float | None,
        limit: int | None,
    ) -> None:
        self._group: Final = group
        self._command: Final = command
        self._member: Final = member
        self._delay_s: Final = delay_s
        self._wait_s: Final = wait_s
        self._left = limit
        self._stopping: Final = asyncio.Event()
        self._exit_code = OK
        self._running: Final[set[int]] = set()
        """Process groups."""

    async def consume(self, groups: ConsumerGroups, jobs: int) -> int:
        """Until it is told to stop, or has had enough; returns the exit code. Raises what the store raises."""
        ack_timeout_s = (await groups.get(self._group)).ack_timeout_s
        with self._on_signals():
            ends = await asyncio.gather(
                *(self._work(groups, ack_timeout_s) for _ in range(jobs)), return_exceptions=True
            )
        for error in filter(None, ends):
            raise error
        return self._exit_code

    @contextlib.contextmanager
    def _on_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _stop(self, number: signal.Signals) -> None:
        if self._stopping.is_set():
            for process_group in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process_group, signal.SIGTERM)
            return
        self._stopping.set()
        if number == signal.SIGINT:
            self._exit_code = INTERRUPTED
        if self._running:
            note("indelible: waits for the commands that run; once more ends them")

    # --- One job -----------------------------------------------------------------------------------------------------

    async def _work(self, groups: ConsumerGroups, ack_timeout_s: float) -> None:
        try:
            while self._left != 0 and not self._stopping.is_set():
                self._left = None if self._left is None else self._left - 1
                delivery = await self._next(groups)
                if delivery is None:
                    self._left = None if self._left is None else self._left + 1
                    return
                async with self._extending(groups, delivery, ack_timeout_s):
                    outcome = await self._run(groups, delivery)
                await self._settle(groups, delivery, outcome)
        except BaseException:
            self._stopping.set()
            raise

    async def _next(self, groups: ConsumerGroups) -> Delivery | None:
        """None: nothing came for so long, or it is time to stop."""
        until = float("inf") if self._wait_s is None else time.monotonic() + self._wait_s
        while not self._stopping.is_set():
            wait_s = min(max(until - time.monotonic(), 0.0), GROUP_WAIT_MAX_S)
            found = await self._pull(groups, wait_s)
            if found:
                return found[0]
            if time.monotonic() >= until:
                return None
        return None

    async def _pull(self, groups: ConsumerGroups, wait_s: float) -> tuple[Delivery, ...]:
        pulling = asyncio.create_task(groups.pull(self._group, member=self._member, limit=1, wait_s=wait_s))
        await first_of(pulling, self._stopping.wait())
        return () if pulling.cancelled() else pulling.result()

    @contextlib.asynccontextmanager
    async def _extending(self, groups: ConsumerGroups, delivery: Delivery, ack_timeout_s: float) -> AsyncIterator[None]:
        """Keeps the event for as long as its command runs."""
        extending = asyncio.create_task(self._extend(groups, delivery, ack_timeout_s))
        try:
            yield
        finally:
            extending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await extending

    async def _extend(self, groups: ConsumerGroups, delivery: Delivery, ack_timeout_s: float) -> None:
        settled = Settled(1)
        while not settled.lost:
            await asyncio.sleep(ack_timeout_s / _EXTENSIONS_PER_TIMEOUT)
            try:
                settled = await groups.extend(self._group, [delivery.delivery_id], ack_timeout_s=ack_timeout_s)
            except IndelibleError as error:
                _say(delivery, f"cannot get more time: {describe(error)}")

    async def _run(self, groups: ConsumerGroups, delivery: Delivery) -> int:
        """The exit code; negative: the number of the signal that ended the command."""
        # A file, as a pipe would have to be filled while the command runs, whether it reads or not.
        with tempfile.TemporaryFile() as event:
            event.write(bytes(delivery.line) + b"\n")
            event.seek(0)
            try:
                # A process group of its own: Ctrl-C is for the consumer alone.
                process = await asyncio.create_subprocess_exec(*self._command, stdin=event, process_group=0)
            except OSError as error:
                await groups.nack(self._group, [delivery.delivery_id], reason=f"{self._command[0]}: {error.strerror}")
                raise
        self._running.add(process.pid)
        try:
            return await process.wait()
        finally:
            self._running.discard(process.pid)

    async def _settle(self, groups: ConsumerGroups, delivery: Delivery, code: int) -> None:
        if code == 0:
            settled = await groups.ack(self._group, [delivery.delivery_id])
        else:
            self._exit_code = self._exit_code or FAILED
            how = f"exited with code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
            reason = f"{self._command[0]} {how}"[-GROUP_REASON_LENGTH_MAX:]
            _say(delivery, reason)
            settled = await groups.nack(self._group, [delivery.delivery_id], delay_s=self._delay_s, reason=reason)
        if settled.lost:
            _say(delivery, "is lost: it was delivered to somebody else meanwhile, or the group was reset")


def _say(delivery: Delivery, text: str) -> None:
    event = delivery.event
    stream = f"{event.aggregate_type}-{event.aggregate_id}"
    note(f"{stream} {event.version}, position {event.position}, attempt {delivery.attempt}: {text}")
