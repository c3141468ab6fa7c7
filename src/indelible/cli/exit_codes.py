"""What the exit code of a command says, and which error gives which.

74 and 75 are EX_IOERR and EX_TEMPFAIL of sysexits.h; 130 and 141 are what shells show for SIGINT and SIGPIPE.
"""

from typing import Final

from indelible.errors import (
    Conflict,
    IndelibleError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    StorageFailure,
    StoreLocked,
    Unavailable,
)

OK: Final = 0
FAILED: Final = 1
"""Any other error; also an import that could not store every line."""
USAGE: Final = 2
"""The command line, a setting or the input is not what is allowed. Nothing was stored."""
CONFLICT: Final = 3
"""The store's state forbids the append. Nothing was stored."""
NOT_FOUND: Final = 4
DAMAGED: Final = 5
"""verify, copy or restore found an event that is not as it was written."""
STORAGE: Final = 74
"""A disk or file returned an error."""
TRY_AGAIN: Final = 75
"""The store is out of reach, busy or locked, or it is unknown whether the append is stored. Try again later."""
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""The reader of the output has gone, as after ``| head``."""

_OF_ERRORS: Final = (
    (InvalidRequest, USAGE),
    (Conflict, CONFLICT),
    (NotFound, NOT_FOUND),
    (StorageFailure, STORAGE),
    ((Unavailable, OutcomeUnknown, StoreLocked), TRY_AGAIN),
)


def exit_code_of(error: IndelibleError) -> int:
    return next((code for kinds, code in _OF_ERRORS if isinstance(error, kinds)), FAILED)
