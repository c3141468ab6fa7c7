"""What a row of the table of operations says. Plain data: both servers, both clients, OpenAPI and the reference pages
read it; nothing of HTTP's or gRPC's libraries is in it."""

import re
from collections.abc import Awaitable, Callable
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

import msgspec

from indelible.access import Permission
from indelible.limits import REQUEST_SIZE_BYTES_MAX

P = TypeVar("P", bound="Parameters")
R = TypeVar("R")

Section = Literal[
    "Append",
    "Read",
    "Snapshots",
    "Catalogue",
    "Search",
    "Consumer groups",
    "Relays",
    "Keys",
    "Schemas",
    "Operations",
]
Retry = Literal["append", "read", "poll", "follow", "idempotent", "once"]
"""How a client repeats a call whose answer is lost. "append": as often as it likes, because events carry their ids; an
append that is given up may be stored, whatever went wrong. "read": as often as it likes, and nothing is unknown
afterwards but the answer. "poll": the same, of what the server may wait with, for ``wait_s`` seconds. "follow": anew,
after what has come. "idempotent": as often as it likes, but a call that is given up may have taken effect. "once": only
while it is certain that it had no effect."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one operation is asked with. A subclass's fields say what they mean, what is allowed and an example, for
    people; :meth:`check` refuses what is not allowed, for programs."""

    def check(self) -> None:
        """Raises :class:`indelible.errors.InvalidRequest` naming the first bad field."""


class Nothing(Parameters, frozen=True):
    """Nothing to say."""


class Operation(msgspec.Struct, Generic[P, R], frozen=True, kw_only=True):
    """One thing that a caller can ask of a store, the same over every API."""

    name: str
    """The operation's id, and the store's method that does it unless ``store_method`` names another."""
    store_method: str = ""
    """Of a part of the store, such as "groups.pull"."""
    section: Section
    summary: str
    description: str
    parameters: type[P]
    answer: type[Any] | None
    """The Struct that is answered, in JSON and, field by field, in the method's protobuf message; None: nothing is."""
    answer_field: str | None = None
    """The only field of ``answer``, where the store's method gives just what is in it."""
    to_answer: Callable[[Any], Any] | None = None
    """Where the store's method gives something else than ``answer``: makes the one of the other."""
    from_answer: Callable[[Any], Any] | None = None
    answers: str
    """What the answer tells."""
    http: str = ""
    """METHOD PATH. Segments as ``{name}`` are parameters; the others are in the query string of GET and DELETE, else in
    the body. Empty for what is not offered over HTTP."""
    request_size_bytes_max: int = REQUEST_SIZE_BYTES_MAX
    """Of the body, or the message."""
    request_headers: tuple[str, ...] = ()
    """Of HTTP, beside those that every request may have."""
    answer_headers: tuple[str, ...] = ()
    media_type: str = "application/json"
    """Of the answer. What else it is offered in stands in the description: generators of clients make nothing useful of
    one answer in several. Such an operation may end in ``not_acceptable``."""
    grpc: str = ""
    """SERVICE.METHOD in the package ``indelible.v1``; empty for what is not offered over gRPC."""
    retry: Retry
    permission: Permission | None
    """None: whoever is known may."""
    is_open: bool = False
    """Whether nobody has to say who it is."""
    errors: tuple[str, ...] = ()
    """Codes beyond those that every operation may end in."""
    call: Callable[[Any, P], Awaitable[R]] | None = None
    """How the store's method is called, where its arguments are not the parameters by name."""

    @property
    def method(self) -> str:
        return self.http.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.http.partition(" ")[2]

    @property
    def path_parameters(self) -> tuple[str, ...]:
        return _variables(self.http)

    @property
    def has_body(self) -> bool:
        """Not where the path says all there is to say."""
        fields = self.parameters.__struct_fields__
        return self.method not in ("GET", "DELETE") and len(fields) > len(self.path_parameters)

    async def ask(self, store: Any, parameters: P) -> R:
        """Have the store do it."""
        if self.call is not None:
            return await self.call(store, parameters)
        result: R = await attrgetter(self.store_method or self.name)(store)(**msgspec.structs.asdict(parameters))
        return result

    def wrap(self, result: R) -> Any:
        """The answer that a result is."""
        assert self.answer is not None, "nothing is answered"
        if self.to_answer is not None:
            return self.to_answer(result)
        return result if self.answer_field is None else self.answer(**{self.answer_field: result})

    def unwrap(self, answer: Any) -> R:
        if self.from_answer is not None:
            answer = self.from_answer(answer)
        result: R = answer if self.answer_field is None else getattr(answer, self.answer_field)
        return result


@cache
def _variables(http: str) -> tuple[str, ...]:
    return tuple(re.findall(r"{(\w+)}", http))


def elements_max(kind: Any) -> int | None:
    """What is said of a list in a field."""
    schemas = [said.extra_json_schema or {} for said in get_args(kind)[1:] if isinstance(said, msgspec.Meta)]
    return next((schema["maxItems"] for schema in schemas if "maxItems" in schema), None)


def plain_type(kind: Any) -> Any:
    """A field's type without None and UNSET, which say that it may be missing, and without what is said of it."""
    if get_origin(kind) is Annotated:
        return plain_type(get_args(kind)[0])
    inner = [one for one in get_args(kind) if one not in (type(None), msgspec.UnsetType)]
    return plain_type(inner[0]) if len(inner) < len(get_args(kind)) else kind
