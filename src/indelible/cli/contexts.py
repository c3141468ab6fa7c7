"""Contexts: servers by names of the user's own, in a file of the user's configuration, and which one a command uses.

A context says where a server is, and which files hold what is shown to it. What is in those files is not copied.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from indelible.errors import InvalidRequest
from indelible.keys import check_token
from indelible.limits import CONTEXT_NAME_LENGTH_MAX
from indelible.server.config import FROM_ENVIRONMENT, FROM_FILE, LoadedSettings, load_settings

CONTEXT_VARIABLE: Final = "INDELIBLE_CONTEXT"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Context(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    url: str
    """Of a server."""
    token_file: str | None = None
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    """Files, by absolute names."""


class Contexts(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds."""

    contexts: dict[str, Context] = {}
    current: str | None = None
    """The one that commands use which nobody tells otherwise."""

    def named(self, name: str) -> Context:
        """Raises ``InvalidRequest``, which says those there are."""
        found = self.contexts.get(name)
        if found is None:
            there_are = f"there are: {', '.join(sorted(self.contexts))}" if self.contexts else "there are none"
            raise InvalidRequest(
                f"there is no context {name!r}; {there_are}. Make one: indelible context add NAME URL",
                pointer="/context",
            )
        return found


# --- The file --------------------------------------------------------------------------------------------------------


def contexts_file() -> Path:
    """Whether it is there or not. Raises ``InvalidRequest`` when nobody knows where the user's files are."""
    # The standard wants what is not absolute to be ignored.
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    try:
        folder = base if base.is_absolute() else Path.home() / ".config"
    except RuntimeError:
        raise InvalidRequest("set HOME or XDG_CONFIG_HOME: contexts are kept there", pointer="/context") from None
    return folder / "indelible" / "contexts.json"


def load_contexts() -> Contexts:
    """Those there are; none when there is no file. Raises ``InvalidRequest`` for a file that cannot be read."""
    file = contexts_file()
    try:
        return msgspec.json.decode(file.read_bytes(), type=Contexts)
    except (FileNotFoundError, NotADirectoryError):
        return Contexts()
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"cannot read the contexts of {file}: {error}; mend it, or remove it and add them again", pointer="/context"
        ) from None


@contextmanager
def changing_contexts() -> Iterator[Contexts]:
    """The contexts, to be changed; they are written when the block ends well, whole or not at all. Others who change
    them wait meanwhile."""
    # Where it really is: some people keep such files elsewhere, with a link to them.
    file = contexts_file().resolve()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        contexts = load_contexts()
        yield contexts
        _write(file, msgspec.json.format(msgspec.json.encode(contexts)) + b"\n")
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(file: Path, content: bytes) -> None:
    # Only the user may read what this makes.
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    try:
        with open(descriptor, "wb") as output:  # noqa: PTH123 - a descriptor, not a path
            output.write(content)
            output.flush()
            os.fsync(descriptor)
        Path(name).replace(file)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def check_context_name(name: str) -> str:
    if _NAME.fullmatch(name) is None or len(name) > CONTEXT_NAME_LENGTH_MAX:
        raise InvalidRequest(
            f"must be 1 to {CONTEXT_NAME_LENGTH_MAX} of A-Z a-z 0-9 . _ -, the first a letter or a digit, not {name!r}",
            pointer="/name",
        )
    return name


def read_token(file: str) -> str:
    """The token that is all that a file holds, but for a line end. Raises ``InvalidRequest``, without it."""
    try:
        return check_token(Path(file).read_text("utf-8", errors="replace").strip())
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror}", pointer="/token_file") from None
    except InvalidRequest as error:
        raise InvalidRequest(f"{file} holds no token: it {error.message}", pointer="/token_file") from None


# --- Which one a command uses ----------------------------------------------------------------------------------------


def load_with_context(
    flags: Mapping[str, object], *, config_file: str | None, context: str | None = None
) -> LoadedSettings:
    """The settings of a command, with those of the context that it uses.

    ``context`` is what its flag says. Without it, a server or a store that flags or the environment name wins over
    INDELIBLE_CONTEXT, and one in the TOML file over the current context. What a context says is taken whole: no token
    that is meant for another server is shown to its own. Raises ``InvalidRequest``.
    """
    loaded = load_settings(flags, config_file=config_file)
    named = max(loaded.sources[name].rank for name in ("url", "store"))
    name = context
    if name is None and named < FROM_ENVIRONMENT:
        name = os.environ.get(CONTEXT_VARIABLE) or None
    if name is None and named < FROM_FILE:
        name = load_contexts().current
    if name is None:
        return loaded
    return load_settings(flags, config_file=config_file, context=(f"context {name}", _settings_of(name)))


def _settings_of(name: str) -> dict[str, object]:
    given = msgspec.structs.asdict(load_contexts().named(name))
    file = given.pop("token_file")
    token = None if file is None else read_token(file)
    return {setting: value for setting, value in {**given, "token": token}.items() if value is not None}
