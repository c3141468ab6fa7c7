"""Comparing a schema with the version before, in a process of its own.

That can take minutes and gigabytes where somebody means it, and the library lets nothing else run meanwhile. So a
process does it that may be killed, and whoever registers the schema hears that it took too long.
"""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw, Struct

from indelible.core.schemas.comparison import Broken, first_broken
from indelible.errors import InternalError, InvalidRequest, Overloaded
from indelible.limits import RETRY_AFTER_S, SCHEMA_COMPARE_MEMORY_BYTES_MAX, SCHEMA_COMPARE_S, SCHEMA_COMPARES_MAX
from indelible.schemas import Compatibility
from indelible.tasks import hear_of_failure


class _Question(Struct, frozen=True):
    newer: Raw
    older: Raw
    compatibility: Compatibility


_answers: Final[msgspec.json.Decoder[Broken | None]] = msgspec.json.Decoder(Broken | None)


class Comparing:
    """Puts questions to processes, a few at once."""

    def __init__(self) -> None:
        self._under_way = 0

    async def first_broken(self, newer: bytes, older: bytes, compatibility: Compatibility) -> Broken | None:
        """What the newer schema does not keep. Raises ``InvalidRequest`` where that takes too long, and
        ``Overloaded``."""
        if self._under_way >= SCHEMA_COMPARES_MAX:
            raise Overloaded("too many schemas are compared; nothing was registered", retry_after_s=RETRY_AFTER_S)
        self._under_way += 1
        question = msgspec.json.encode(_Question(Raw(newer), Raw(older), compatibility))
        asked = asyncio.create_task(asyncio.to_thread(_ask, question), name="schemas-compare")
        asked.add_done_callback(self._done)
        answer = await asyncio.shield(asked)
        if answer is None:
            raise InvalidRequest(
                f"cannot be compared with the version before within {SCHEMA_COMPARE_S:g} s; make it simpler, or say "
                'that it need keep nothing: compatibility "none"',
                pointer="/schema", timeout_s=SCHEMA_COMPARE_S,
            )  # fmt: skip
        return _answers.decode(answer)

    def _done(self, asked: asyncio.Task[bytes | None]) -> None:
        self._under_way -= 1
        hear_of_failure(asked)


def _ask(question: bytes) -> bytes | None:
    """None where the process came to no answer: for want of time, or of memory."""
    # Of the same modules as this process, and of none that lie about where it was started.
    command = [sys.executable, "-P", "-m", __name__]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(one).absolute()) for one in sys.path if one])}
    try:
        done = subprocess.run(  # noqa: S603 - of our own
            command, input=question, env=environment, capture_output=True, timeout=SCHEMA_COMPARE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode > 0 and b"MemoryError" not in done.stderr:
        told = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise InternalError(f"the process that looks at schemas failed: {told}")
    return done.stdout if done.returncode == 0 else None


def main() -> None:
    """The process."""
    with contextlib.suppress(ValueError, OSError):
        # Where less is allowed already, that holds.
        resource.setrlimit(resource.RLIMIT_AS, (SCHEMA_COMPARE_MEMORY_BYTES_MAX, SCHEMA_COMPARE_MEMORY_BYTES_MAX))
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=_Question)
    newer, older = msgspec.json.decode(asked.newer), msgspec.json.decode(asked.older)
    sys.stdout.buffer.write(msgspec.json.encode(first_broken(newer, older, asked.compatibility)))


if __name__ == "__main__":
    main()
