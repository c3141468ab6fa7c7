"""The HTTP calls that the index makes, and what their answers mean. Raises ``IndexUnavailable`` for all that is not
expected: the log has everything, so it is tried again until somebody has mended it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from indelible.indexes.index import IndexMoved, IndexUnavailable, SearchTooBroad
from indelible.indexes.opensearch.client import JSON, NDJSON, Answer, Client, Request
from indelible.indexes.opensearch.mapping import mapping_of
from indelible.indexes.opensearch.state import Held, State
from indelible.limits import INDEX_SERVICE_TIMEOUT_S, INDEX_SERVICE_WRITE_TIMEOUT_S, SEARCH_TIMEOUT_S
from indelible.search import FieldType

_GRACE_S: Final = 1.0
"""Beyond a search's time, which the service keeps, for its answer."""
_REASON_LENGTH_MAX: Final = 300
_REFUSED: Final = (400, 413)
"""Statuses of a document that would be refused again."""


class Gone(Exception):
    """There is no such index."""


class TooLarge(Exception):
    """The service takes no request of that size."""


class Conflict(Exception):
    """The state document is not what it was when it was read."""


class Tag(NamedTuple):
    """Which revision of the state document."""

    seq_no: int
    primary_term: int


class Item(NamedTuple):
    """What became of a document."""

    refusal: str | None
    """Why it is refused for good."""
    is_new: bool


class Calls:
    """``prefix``: of the names of all indices."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client: Final = client
        self._prefix: Final = prefix

    def _generation(self, number: int) -> str:
        return f"{self._prefix}-{number}"

    def _writing(self, number: int) -> str:
        """An alias. A late write to an index that was dropped must not make it anew, as writes to no index do."""
        return f"{self._prefix}-{number}-write"

    async def close(self) -> None:
        await self._client.close()

    # --- The state document ------------------------------------------------------------------------------------------

    async def read_state(self, *, whole: bool) -> tuple[State, Tag | None]:
        """Without what was refused, unless it is asked for whole: that may be long."""
        parameters = {} if whole else {"_source_excludes": "generations.*.rejected"}
        answer = await self._send("GET", f"{self._prefix}-state/_doc/state", parameters, expected=(404,))
        body = answer.body
        if answer.status == 404:
            if body.get("found") is False or _is_missing_index(answer):
                return State(), None
            raise _unexpected(answer)
        try:
            state = msgspec.convert(body["_source"], State, strict=False)
            return state, Tag(body["_seq_no"], body["_primary_term"])
        except (KeyError, msgspec.ValidationError) as error:
            raise IndexUnavailable(
                f"{self._prefix}-state is no state of a query index ({error}): name another prefix"
            ) from None

    async def write_state(self, state: State, tag: Tag | None) -> None:
        """Raises :class:`Conflict` when it is another than ``tag`` says; None: when there is one."""
        if tag is None:
            await self._make_index(f"{self._prefix}-state", {"number_of_shards": 1}, {"enabled": False}, {})
            path, parameters = f"{self._prefix}-state/_create/state", {}
        else:
            path = f"{self._prefix}-state/_doc/state"
            parameters = {"if_seq_no": str(tag.seq_no), "if_primary_term": str(tag.primary_term)}
        timeout = {"timeout": f"{INDEX_SERVICE_TIMEOUT_S:.0f}s"}
        answer = await self._send("PUT", path, {**parameters, **timeout}, state, expected=(409,))
        if answer.status == 409:
            raise Conflict

    # --- Indices -----------------------------------------------------------------------------------------------------

    async def make_generation(
        self, number: int, fields: Mapping[str, FieldType], shards: int, replicas: int | None
    ) -> None:
        """Empty, whatever was left of one with this number."""
        settings: dict[str, Any] = {"number_of_shards": shards, "refresh_interval": "-1"}
        if replicas is not None:
            settings |= {"number_of_replicas": replicas, "auto_expand_replicas": False}
        name, mapping, alias = self._generation(number), mapping_of(fields), self._writing(number)
        if not await self._make_index(name, settings, mapping, {alias: {}}):
            await self.remove_generation(number)
            await self._make_index(name, settings, mapping, {alias: {}})

    async def _make_index(
        self, name: str, settings: Mapping[str, Any], mapping: Mapping[str, Any], aliases: Mapping[str, Any]
    ) -> bool:
        """Leaves one alone that is there, and says so."""
        body = {"settings": {"auto_expand_replicas": "0-1", **settings}, "mappings": mapping, "aliases": aliases}
        answer = await self._send("PUT", name, {}, body, expected=(400,), timeout_s=INDEX_SERVICE_WRITE_TIMEOUT_S)
        if answer.status == 400 and _type(answer) != "resource_already_exists_exception":
            raise _unexpected(answer)
        return answer.status != 400

    async def remove_generation(self, number: int) -> None:
        answer = await self._send(
            "DELETE", self._generation(number), {}, expected=(404,), timeout_s=INDEX_SERVICE_WRITE_TIMEOUT_S
        )
        if answer.status == 404 and not _is_missing_index(answer):
            raise _unexpected(answer)

    async def generations(self) -> dict[int, bool]:
        """Those that there are indices of, and whether each has the alias for people."""
        answer = await self._send("GET", f"{self._prefix}-*/_alias", {"expand_wildcards": "all"}, expected=(404,))
        found = answer.body if answer.status == 200 else {}
        ends = {name.removeprefix(f"{self._prefix}-"): one["aliases"] for name, one in found.items()}
        return {int(end): self._prefix in aliases for end, aliases in ends.items() if end.isdecimal()}

    async def name_for_people(self, number: int) -> None:
        """The prefix itself becomes an alias of this generation alone."""
        take = {"remove": {"index": f"{self._prefix}-*", "alias": self._prefix, "must_exist": False}}
        give = {"add": {"index": self._generation(number), "alias": self._prefix}}
        await self._send("POST", "_aliases", {}, {"actions": [take, give]})

    # --- Documents ---------------------------------------------------------------------------------------------------

    async def write(self, number: int, lines: Sequence[bytes]) -> Sequence[Item]:
        """For each document what became of it. Raises :class:`Gone`, ``IndexMoved`` and :class:`TooLarge`."""
        answer = await self._send(
            "POST", f"{self._writing(number)}/_bulk",
            {
                "require_alias": "true", "timeout": f"{INDEX_SERVICE_TIMEOUT_S:.0f}s",
                "filter_path": "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by",
            },
            b"".join(lines), expected=(413,), timeout_s=INDEX_SERVICE_WRITE_TIMEOUT_S,
        )  # fmt: skip
        if answer.status == 413:
            raise TooLarge
        return [_item(Answer(one["index"]["status"], one["index"])) for one in answer.body["items"]]

    async def refresh(self, number: int) -> None:
        answer = await self._send(
            "POST", f"{self._generation(number)}/_refresh", {}, expected=(404,), timeout_s=INDEX_SERVICE_WRITE_TIMEOUT_S
        )
        _check_there(answer)
        _check_shards(answer)

    async def count(self, number: int, held: Held) -> int:
        """Its documents that are found."""
        body = {"query": {"bool": {"must_not": held.hidden}}}
        answer = await self._send("POST", f"{self._generation(number)}/_count", {}, body, expected=(404,))
        _check_there(answer)
        _check_shards(answer)
        return int(answer.body["count"])

    async def search(self, number: int, body: Mapping[str, Any]) -> Any:
        """Raises :class:`Gone`, ``SearchTooBroad``."""
        answer = await self._send(
            "POST", f"{self._generation(number)}/_search",
            {"filter_path": "timed_out,_shards.failed,hits.hits.sort,aggregations.found.buckets.key"},
            {
                "timeout": f"{SEARCH_TIMEOUT_S * 1_000:.0f}ms", "track_total_hits": False, "_source": False,
                **body,
            },
            expected=(404,), timeout_s=SEARCH_TIMEOUT_S + _GRACE_S,
        )  # fmt: skip
        _check_there(answer)
        if answer.body["timed_out"]:
            raise SearchTooBroad("the search took too long")
        _check_shards(answer)
        return answer.body

    # --- Answers -----------------------------------------------------------------------------------------------------

    async def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: object = None,
        *,
        expected: Sequence[int] = (),
        timeout_s: float | None = None,
    ) -> Answer:
        """Raises ``IndexUnavailable`` for every status that is no success, nor ``expected``."""
        is_lines = isinstance(body, bytes)
        sent = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        answer = await self._client.send(
            Request(
                method, f"/{path}", dict(parameters), sent, NDJSON if is_lines else JSON,
                INDEX_SERVICE_TIMEOUT_S if timeout_s is None else timeout_s,
            )
        )  # fmt: skip
        if answer.status >= 300 and answer.status not in expected:
            raise _unexpected(answer)
        if answer.status != 413 and not isinstance(answer.body, dict):
            raise _unexpected(answer)
        return answer


def _item(item: Answer) -> Item:
    if item.status < 300:
        return Item(None, is_new=item.status == 201)
    if item.status == 409:
        raise IndexMoved("another has added the same event since")
    if _is_missing_index(item):
        raise Gone
    if item.status in _REFUSED:
        return Item(_reason(item), is_new=False)
    raise _unexpected(item)


def _check_there(answer: Answer) -> None:
    if _is_missing_index(answer):
        raise Gone
    if answer.status >= 300:
        raise _unexpected(answer)


def _check_shards(answer: Answer) -> None:
    failed = answer.body["_shards"]["failed"]
    if failed:
        raise IndexUnavailable(f"{failed} of its shards do not answer")


def _is_missing_index(answer: Answer) -> bool:
    return answer.status == 404 and _type(answer) == "index_not_found_exception"


def _type(answer: Answer) -> str:
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return str(error.get("type")) if isinstance(error, dict) else ""


def _unexpected(answer: Answer) -> IndexUnavailable:
    return IndexUnavailable(f"it answers with status {answer.status}: {_reason(answer)}")


def _reason(answer: Answer) -> str:
    """For people."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    if isinstance(error, dict):
        reasons = [error.get("reason"), (error.get("caused_by") or {}).get("reason")]
        text = ": ".join(str(one) for one in reasons if one)
    else:
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    return text[:_REASON_LENGTH_MAX]
