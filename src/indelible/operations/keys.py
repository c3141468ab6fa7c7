"""The operations on keys: what each is asked with, and its row."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from indelible import words
from indelible.keys import KeyInfo, NewKey, check_key_id, check_new_key
from indelible.limits import GRANTS_MAX, KEY_EXPIRES_MAX_S, KEY_EXPIRES_MIN_S
from indelible.operations.operation import Nothing, Operation, Parameters

# --- What they are asked with ----------------------------------------------------------------------------------------


class CreateKey(Parameters, frozen=True):
    """Which key to make."""

    name: words.KeyName
    grants: Annotated[
        Sequence[Annotated[str, words.meta(schema=words.GRANT)]],
        words.meta(
            "What it allows: PERMISSION:PATTERN, where the permission is append, read, consume or admin, and the "
            "pattern an aggregate type, or the beginning of some before a *.",
            {"minItems": 1, "maxItems": GRANTS_MAX},
            example=["append:order", "read:*"],
        ),
    ]
    expires_in_s: (
        Annotated[
            float,
            words.meta(
                "Seconds until it expires; never when missing.",
                {"minimum": KEY_EXPIRES_MIN_S, "maximum": KEY_EXPIRES_MAX_S}, example=7_776_000.0,
            ),
        ]
        | None
    ) = None  # fmt: skip

    def check(self) -> None:
        check_new_key(self.name, self.grants, self.expires_in_s)


class OfKey(Parameters, frozen=True):
    """Which key."""

    key_id: words.KeyId

    def check(self) -> None:
        check_key_id(self.key_id)


# --- What they answer, where the store gives what is inside ----------------------------------------------------------


class KeyList(msgspec.Struct, frozen=True):
    """Every key."""

    keys: Annotated[tuple[KeyInfo, ...], words.meta("In the order in which they were made.")]


# --- The rows --------------------------------------------------------------------------------------------------------

CREATE_KEY: Final = Operation[CreateKey, NewKey](
    name="create_key", store_method="keys.create", section="Keys", summary="Make a key",
    description="The answer holds the key, this once: the store keeps its SHA-256 alone. Callers show it as "
    "`Authorization: Bearer KEY`. When the answer is lost, list the keys, and revoke the one that nobody has.",
    parameters=CreateKey, answer=NewKey, answers="The key, and what it allows.",
    http="POST /v1/keys", grpc="Keys.CreateKey",
    retry="once", permission="admin", errors=("shutting_down", "outcome_unknown", "storage_full"),
)  # fmt: skip
LIST_KEYS: Final = Operation[Nothing, tuple[KeyInfo, ...]](
    name="list_keys", store_method="keys.list", section="Keys", summary="List keys",
    description="Every key that there ever was, without its secret: its name, grants and state.",
    parameters=Nothing, answer=KeyList, answer_field="keys", answers="All of them.",
    http="GET /v1/keys", grpc="Keys.ListKeys",
    retry="read", permission="admin",
)  # fmt: skip
REVOKE_KEY: Final = Operation[OfKey, KeyInfo](
    name="revoke_key", store_method="keys.revoke", section="Keys", summary="Revoke a key",
    description="Every server refuses it within 5 seconds, for ever, and ends the streams that it opened. One that is "
    "revoked already stays as it is.",
    parameters=OfKey, answer=KeyInfo, answers="The key as it is now.",
    http="POST /v1/keys/{key_id}/revoke", grpc="Keys.RevokeKey",
    retry="idempotent", permission="admin",
    errors=("key_not_found", "shutting_down", "outcome_unknown", "storage_full"),
)  # fmt: skip

KEY_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (CREATE_KEY, LIST_KEYS, REVOKE_KEY)
