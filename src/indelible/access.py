"""Access: who asks, and what it may do.

A principal holds grants. A grant is a permission and a pattern of aggregate types: ``append:order``, ``read:bill*``.
What no grant allows is denied. A pattern is the name of one aggregate type, or the beginning of names before a ``*`` at
its end; it is compared character by character, so ``order`` is neither ``orders`` nor ``Order``.

Aggregate types that begin with :data:`RESERVED_PREFIX` are the store's own: keys and the audit log. Nobody appends to
them, and whoever holds ``admin:*`` may do the rest with them; no other grant covers them.
"""

from collections.abc import Iterable
from typing import Final, Literal, get_args

from msgspec import Struct

from indelible.errors import Forbidden, InvalidRequest
from indelible.events import check_aggregate_type

Permission = Literal["append", "read", "consume", "admin"]
"""What a principal must be granted: to append events and save snapshots, to read what is stored, to be a member of
consumer groups, or to make, change and delete these."""

RESERVED_PREFIX: Final = "$"
"""Begins the aggregate types of the store's own events."""


def is_own(aggregate_type: str) -> bool:
    """Whether it is one of the store's own."""
    return aggregate_type.startswith(RESERVED_PREFIX)


def check_reserved(aggregate_type: str, *, is_reserved: bool = False) -> None:
    """Refuse to write to one of the store's own aggregate types; if it ``is_reserved``, to any but these. Raises
    :class:`InvalidRequest`."""
    if is_own(aggregate_type) is not is_reserved:
        must = "must" if is_reserved else "must not"
        raise InvalidRequest(
            f'{must} begin with "{RESERVED_PREFIX}": such types are the store\'s own', pointer="/aggregate_type"
        )


class Grant(Struct, frozen=True, order=True):
    """One permission for the aggregate types of a pattern."""

    permission: Permission
    pattern: str

    @classmethod
    def parse(cls, text: str, pointer: str = "") -> "Grant":
        """Of ``PERMISSION:PATTERN``. Raises :class:`InvalidRequest`."""
        permission, colon, pattern = text.partition(":")
        if not colon or permission not in get_args(Permission):
            raise InvalidRequest(
                f"must be PERMISSION:PATTERN such as read:order, with one of {', '.join(get_args(Permission))}",
                pointer=pointer,
            )
        check_aggregate_type(pattern, pointer)
        if "*" in pattern[:-1]:
            raise InvalidRequest('may have "*" only at its end', pointer=pointer)
        return cls(permission, pattern)  # type: ignore[arg-type]  # one of them, as was looked at

    def __str__(self) -> str:
        return f"{self.permission}:{self.pattern}"


class Reach(Struct, frozen=True):
    """The aggregate types that one permission is granted for."""

    permission: Permission
    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    """Beginnings of names; the empty one covers every type but the store's own."""
    with_own: bool = False
    """Whether the store's own types are among them."""

    @classmethod
    def of(cls, permission: Permission, grants: Iterable[Grant]) -> "Reach":
        grants = tuple(grants)
        patterns = [one.pattern for one in grants if one.permission == permission]
        patterns = [one for one in patterns if not is_own(one)]
        prefixes = tuple(one[:-1] for one in patterns if one.endswith("*"))
        names = frozenset(one for one in patterns if not one.endswith("*"))
        with_own = Grant("admin", "*") in grants and permission != "append"
        return cls(permission, names, ("",) if "" in prefixes else prefixes, with_own)

    @property
    def is_nothing(self) -> bool:
        return not (self.names or self.prefixes or self.with_own)

    @property
    def covers_all(self) -> bool:
        """Every type that there is and will be, but for the store's own."""
        return self.prefixes == ("",)

    @property
    def covers_everything(self) -> bool:
        """The store's own types too."""
        return self.covers_all and self.with_own

    def covers(self, aggregate_type: str) -> bool:
        if is_own(aggregate_type):
            return self.with_own
        return aggregate_type in self.names or aggregate_type.startswith(self.prefixes)

    # --- Refusals: raise Forbidden -----------------------------------------------------------------------------------

    def check(self, aggregate_type: str) -> None:
        if not self.covers(aggregate_type):
            raise self.forbidden(aggregate_type)

    def check_any(self) -> None:
        """What is answered depends on what is granted, but something has to be."""
        if self.is_nothing:
            raise self.forbidden()

    def check_all(self) -> None:
        """For what concerns the whole log."""
        if not self.covers_all:
            raise self.forbidden()

    def forbidden(self, aggregate_type: str | None = None) -> Forbidden:
        """The refusal of what concerns an aggregate type that the caller named, or, without one, more than one."""
        if aggregate_type is None:
            wanted = f"a grant of {self.permission}" if self.is_nothing else f"{self.permission}:*"
            return Forbidden(f"you need {wanted}", permission=self.permission)
        wanted = "admin:*" if is_own(aggregate_type) else f"{self.permission}:{aggregate_type}"
        return Forbidden(f"you need {wanted}", permission=self.permission, aggregate_type=aggregate_type)


class Principal(Struct, frozen=True):
    """Who asks, and what it may do."""

    name: str
    grants: tuple[Grant, ...] = ()

    @classmethod
    def of(cls, name: str, grants: Iterable[str]) -> "Principal":
        """Of grants as text. Raises :class:`InvalidRequest`."""
        return cls(name, tuple(sorted({Grant.parse(grant, f"/grants/{i}") for i, grant in enumerate(grants)})))

    def reach(self, permission: Permission) -> Reach:
        return Reach.of(permission, self.grants)


EVERYBODY: Final = Principal("anonymous", tuple(Grant(permission, "*") for permission in get_args(Permission)))
"""Whoever asks where nobody has to say who it is: on a server without access control."""

NOBODY: Final = Principal("nobody")
"""Whoever has not said who it is, where one has to: it may do nothing."""
