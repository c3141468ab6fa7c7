"""Schemas made ready, by jsonschema-rs: the only module that knows it. It is an extra, loaded when a schema is used.

Nothing is fetched, patterns are run by an engine that never goes back, and ``format`` says something to readers alone,
as the dialect has it.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from indelible.core.schemas.shape import shape_of, step
from indelible.errors import IndelibleError, InvalidRequest, PayloadTooLarge, SchemaMismatch
from indelible.events import NewEvent, is_json
from indelible.json_text import decode_json
from indelible.limits import (
    SCHEMA_PATTERN_SIZE_BYTES_MAX,
    SCHEMA_TOLD_LENGTH_MAX,
    SCHEMA_TOLD_WORK_MAX,
    SCHEMA_WORK_MAX,
)

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema, ValidationError, Validator

_PATTERN_SIZES: Final = (
    300, 450, 700, 1_000, 1_500, 2_200, 3_000, 4_500, 7_000, 10_000, 15_000, 22_000, 32_000, 45_000,
    SCHEMA_PATTERN_SIZE_BYTES_MAX,
)  # fmt: skip
"""The library says of no pattern how large it is, only whether it is larger than allowed."""
_NAMING: Final = ("required", "additionalProperties", "unevaluatedProperties", "dependentRequired")
"""Of these the library's message names the member that it is about."""
_FAR_NUMBERS: Final = re.compile(rb"(?<=[0-9])[eE](?:-[3-9][0-9]|[+-]?[0-9]{3,})(?=[\s,\]}])")
"""Their exponents: of those that are very near to zero, or very large."""
_FAR_NUMBER_BYTES: Final = 128
"""One takes as long to compare as so many bytes of others."""
_FAR_NUMBER_SIZE_BYTES_MIN: Final = len("1e-30,")
_LONG_NUMBERS: Final = re.compile(rb"(?<=[\s,:\[-])[0-9]{19,}(?=[\s,\]}])")
"""Whole ones beyond 64 bits: where no two may be equal, each is compared with each."""
Answer = Literal["yes", "no", "unknown"]


def check_extra() -> None:
    """Raises :class:`InvalidRequest` where the library is not installed."""
    try:
        import jsonschema_rs  # noqa: F401, PLC0415 - of an extra
    except ImportError as error:
        raise InvalidRequest.of_extra("schemas", error, pointer="/schema") from None


def _validator(schema: Mapping[str, Any], pattern_size_max: int = SCHEMA_PATTERN_SIZE_BYTES_MAX) -> "Validator":
    from jsonschema_rs import Draft202012Validator, RegexOptions  # noqa: PLC0415 - of an extra

    options = RegexOptions(size_limit=pattern_size_max)
    return Draft202012Validator(_anonymous(schema), pattern_options=options, offline=True, mask="the value")


def _check_words(schema: Mapping[str, Any]) -> None:
    """That each of its keywords has a value such as it takes. Raises ``ValueError``."""
    from jsonschema_rs import meta  # noqa: PLC0415 - of an extra

    meta.validate({name: value for name, value in schema.items() if name != "$schema"})


def _anonymous(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without its name, which would have references lead elsewhere."""
    return {name: value for name, value in schema.items() if name != "$id"}


def canonical(schema: Mapping[str, Any]) -> "CanonicalSchema":
    """For comparing schemas. May take long."""
    from jsonschema_rs import RegexOptions, canonicalize  # noqa: PLC0415 - of an extra

    options = RegexOptions(size_limit=SCHEMA_PATTERN_SIZE_BYTES_MAX)
    return canonicalize(_anonymous(schema), pattern_options=options, offline=True)


def covers(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> Answer:
    """Whether all that fits ``narrow`` fits ``wide``, as far as that can be told."""
    from jsonschema_rs.canonical import CanonicalizationError, Containment  # noqa: PLC0415 - of an extra

    try:
        found = canonical(wide).covers(canonical(narrow))
    except (CanonicalizationError, ValueError):
        return "unknown"
    if found == Containment.YES:
        return "yes"
    return "no" if found == Containment.NO else "unknown"


def _pattern_size(pattern: str) -> int:
    for size in _PATTERN_SIZES:
        try:
            _validator({"pattern": pattern}, size)
        except ValueError:
            continue
        return size
    raise InvalidRequest(
        "must be a regular expression without lookaround and backreferences, whose counted repeats are not too large"
    )


class Check:
    """A schema, ready to check data. Making one takes some milliseconds. Raises ``InvalidRequest`` with the pointer
    into the schema for what is no schema, or is not taken."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema: Final = schema
        try:
            _check_words(schema)
            self.shape: Final = shape_of(schema, _pattern_size)
            self._validator: Final = _validator(schema)
        except ValueError as error:
            raise _no_schema(error) from None
        self.size_bytes_max: Final = SCHEMA_WORK_MAX // self.shape.cost
        """Of the data that it checks."""

    def error_of(self, event: NewEvent, schema_version: int) -> IndelibleError | None:
        """Why an event does not fit; its pointer begins at the event."""
        told = {"event_type": event.event_type, "schema_version": schema_version}
        if not is_json(event.content_type):
            message = f"must be JSON, because {event.event_type} has a schema, not {event.content_type}"
            return SchemaMismatch(message, pointer="/content_type", rule="", **told)
        size_bytes = len(event.event_data_raw)
        problem = self._work_problem(event.event_data_raw)
        if problem is not None:
            return PayloadTooLarge(
                f"{problem}, up to which the schema of {event.event_type} can be checked in time",
                pointer="/event_data", size_bytes_max=self.size_bytes_max,
            )  # fmt: skip
        data = decode_json(event.event_data_raw)
        try:
            if self._validator.is_valid(data):
                return None
            rule, path, message = self._reason(data, size_bytes)
        except ValueError as error:
            rule, path, message = "", "", f"cannot be checked: {error}"[:SCHEMA_TOLD_LENGTH_MAX]
        message = f"{message}, by version {schema_version} of the schema of {event.event_type}"
        return SchemaMismatch(message, pointer=f"/event_data{path}", rule=rule, **told)

    def _work_problem(self, text: bytes) -> str | None:
        """Why a check would take too long. Some numbers take longer to compare than to read."""
        size_bytes = work = len(text)
        if size_bytes > self.size_bytes_max:
            return f"takes {size_bytes} bytes, more than {self.size_bytes_max}"
        if size_bytes * (1 + _FAR_NUMBER_BYTES / _FAR_NUMBER_SIZE_BYTES_MIN) > self.size_bytes_max:
            work += _FAR_NUMBER_BYTES * len(_FAR_NUMBERS.findall(text))
        if self.shape.has_unique_items:
            found = _LONG_NUMBERS.findall(text)
            work += len(found) * len(b"".join(found))
        if work <= self.size_bytes_max:
            return None
        return (
            "holds too many whole numbers of over 18 digits, or numbers with exponents below -29 or of three digits; "
            f"with its {size_bytes} bytes it takes as much time as {work}, more than {self.size_bytes_max}"
        )

    def _reason(self, data: Any, size_bytes: int) -> tuple[str, str, str]:
        """The rule that data does not fit, where in the data, and in words."""
        if self.shape.has_alternatives and size_bytes * self.shape.cost > SCHEMA_TOLD_WORK_MAX:
            return "", "", "does not fit; it is too large to say where"
        found = self._first_error(data)
        assert found is not None, "it is known not to fit"
        rule = "".join(map(step, found.schema_path))
        return rule, "".join(map(step, found.instance_path)), _in_words(found, self._schema)

    def _first_error(self, data: Any) -> "ValidationError | None":
        from jsonschema_rs import ValidationError  # noqa: PLC0415 - of an extra

        try:
            self._validator.validate(data)
        except ValidationError as error:
            return error
        return None


def _in_words(error: "ValidationError", schema: Any) -> str:
    """What the schema says there."""
    said = schema
    try:
        for name in error.schema_path:
            said = said[name]
    except (LookupError, TypeError):
        # Behind a reference.
        return _cut(error.message)
    keyword = error.schema_path[-1] if error.schema_path else ""
    if keyword in _NAMING:
        return _cut(error.message)
    return f"must fit {keyword}: {_cut(msgspec.json.encode(said).decode())}"


def _cut(text: str) -> str:
    return text if len(text) <= SCHEMA_TOLD_LENGTH_MAX else f"{text[:SCHEMA_TOLD_LENGTH_MAX]}…"


def _no_schema(error: ValueError) -> InvalidRequest:
    path = "".join(map(step, getattr(error, "instance_path", ())))
    message = str(getattr(error, "message", error))
    return InvalidRequest(f"is no JSON Schema of draft 2020-12 that is taken here: {_cut(message)}", pointer=path)
