"""Indelible: an event store for microservices. See README.md for a tour, and :mod:`indelible.public` for the names.

They are imported when one of them is first asked for. So the command line, which begins with this file, answers to
Ctrl-C from the start.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indelible.public import *

    __version__: str


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - see above

    if name == "__version__":
        return import_module("importlib.metadata").version("indelible")
    # What begins with a small letter may be a module, which an import asks for first.
    if name == "__all__" or name[0].isupper():
        public = import_module("indelible.public")
        if name == "__all__":
            return [*public.__all__, "__version__"]
        if name in public.__all__:
            # So that this is not asked again.
            globals()[name] = getattr(public, name)
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Also what is not imported yet: who looks around in a shell is to see the clients."""
    return sorted({*globals(), *__getattr__("__all__")})
