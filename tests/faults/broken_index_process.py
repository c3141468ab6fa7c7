"""``indelible`` whose query index in SQLite commits its cursor a moment before the documents, so that a kill in between
loses a batch for good."""

import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from indelible.cli.main import main
from indelible.cursors import Cursor
from indelible.indexes.index import Document
from indelible.indexes.sqlite.generation import GenerationFile

COMMAND: Final = (sys.executable, "-m", "faults.broken_index_process")
_BETWEEN_S: Final = 1.0


def break_it() -> None:
    sound = GenerationFile.apply

    def apply(
        self: GenerationFile,
        documents: Sequence[Document],
        after: Cursor,
        cursor: Cursor,
        log_hash: str,
        **options: Any,
    ) -> None:
        sound(self, (), after, cursor, log_hash, **options)
        if options["is_serving"]:
            time.sleep(_BETWEEN_S)
        sound(self, documents, cursor, cursor, log_hash, **options)

    GenerationFile.apply = apply  # type: ignore[method-assign]  # that is what breaks it


if __name__ == "__main__":
    break_it()
    sys.exit(main(sys.argv[1:]))
