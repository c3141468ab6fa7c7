"""What a store in Cassandra stands on: its nodes, how many copies they keep, their settings, their clocks."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from indelible.diagnostics import Finding
from indelible.engines.cassandra import schema
from indelible.engines.cassandra.records import clock_us
from indelible.engines.cassandra.session import CassandraSession
from indelible.errors import IndelibleError
from indelible.limits import CASSANDRA_COPIES_DEFAULT, CLOCK_AHEAD_S_MAX

_SETTINGS: Final = "SELECT name, value FROM system_views.settings"
_LOCAL: Final = "SELECT release_version, now() FROM system.local"
_SYNCED: Final = ("batch", "group")
_PAXOS_SOUND_SINCE: Final = (4, 1, 6)


class _Asked(msgspec.Struct, frozen=True):
    """What one node says."""

    address: str
    version: str
    ahead_s: float
    """Of the clock here."""
    settings: Mapping[str, str] | None
    """None where the role may not read them."""


async def examine(session: CassandraSession) -> list[Finding]:
    """Raises what reading raises, where the keyspace's tables cannot be looked for."""
    answers = await asyncio.gather(*(_ask(session, node) for node in session.nodes), return_exceptions=True)
    asked = [answer for answer in answers if isinstance(answer, _Asked)]
    failed = [
        f"{node.address} ({answer})"
        for node, answer in zip(session.nodes, answers, strict=True)
        if isinstance(answer, BaseException)
    ]
    found = [*_nodes(len(asked), failed), *_versions(asked), *_settings(asked), *_clocks(asked)]
    counted = Counter(str(node.datacenter) for node in session.nodes)
    found += _copies(await schema.replication_of(session), counted)
    return [*found, *_tables(await schema.missing_tables(session))]


async def _ask(session: CassandraSession, node: Any) -> _Asked:
    (version, now), *_ = await session.ask(node, _LOCAL)
    ahead_s = clock_us(now) / 1e6 - time.time()
    try:
        settings = {name: str(value) for name, value in await session.ask(node, _SETTINGS)}
    except IndelibleError:
        settings = None
    return _Asked(str(node.address), version, ahead_s, settings)


def _nodes(answering: int, failed: list[str]) -> Iterator[Finding]:
    if failed:
        message = f"{len(failed)} of {answering + len(failed)} nodes do not answer: {', '.join(failed)}"
        yield Finding("nodes", "problem", message, "Start them, or remove them from the cluster; then repair.")
    else:
        yield Finding("nodes", "ok", f"all {answering} nodes answer")


def _versions(asked: list[_Asked]) -> Iterator[Finding]:
    versions = sorted({one.version for one in asked})
    shown = ", ".join(versions)
    if len(versions) > 1:
        yield Finding("nodes", "notice", f"nodes run several versions: {shown}", "Go on with the upgrade.")
    if any(_number(version) < _PAXOS_SOUND_SINCE for version in versions):
        advice = "Upgrade them: Paxos, on which all order rests, was made anew in 4.1 and mended in 4.1.6."
        yield Finding("nodes", "problem", f"nodes run Cassandra {shown}", advice)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())


def _settings(asked: list[_Asked]) -> Iterator[Finding]:
    known = [one for one in asked if one.settings is not None]
    if len(known) < len(asked):
        advice = "Run this under a role that may SELECT on system_views, to have them looked at."
        yield Finding("settings of nodes", "notice", "this role may not read the nodes' settings", advice)
    for name, good, advice in (
        ("commitlog_sync", _SYNCED, "Set it to batch or group: a node acknowledges before its disk has the data."),
        ("paxos_variant", ("v2",), "Set it to v2 on all nodes: it needs fewer rounds, and repairs what was left open."),
        (
            "paxos_state_purging",
            ("repaired",),
            "Set it to repaired once all nodes run v2, and run repairs: else promises of Paxos expire after hours.",
        ),
        (
            "disk_failure_policy",
            ("stop", "stop_paranoid", "die"),
            "Set it to stop or die: a broken disk must not answer.",
        ),
        ("commit_failure_policy", ("stop", "die"), "Set it to stop or die: a node must not go on without its log."),
    ):
        yield from _setting(known, name, good, advice)


def _setting(known: list[_Asked], name: str, good: tuple[str, ...], advice: str) -> Iterator[Finding]:
    values = {one.address: (one.settings or {}).get(name) for one in known}
    bad = {address: value for address, value in values.items() if value is not None and value not in good}
    if bad:
        shown = ", ".join(f"{value} on {address}" for address, value in bad.items())
        yield Finding("settings of nodes", "problem", f"{name} is {shown}", advice)
    elif all(values.values()) and values:
        yield Finding(
            "settings of nodes", "ok", f"{name} is {', '.join(sorted({str(one) for one in values.values()}))}"
        )


def _clocks(asked: list[_Asked]) -> Iterator[Finding]:
    for one in asked:
        if abs(one.ahead_s) > CLOCK_AHEAD_S_MAX:
            where = "ahead of" if one.ahead_s > 0 else "behind"
            message = f"the clock of {one.address} is {abs(one.ahead_s):.1f} s {where} this machine's"
            yield Finding("clock", "problem", message, "Keep all by NTP: consumer groups and relays reckon by theirs.")


def _copies(replication: Mapping[str, str] | None, nodes: Mapping[str, int]) -> Iterator[Finding]:
    if replication is None:
        yield Finding("keyspace", "notice", "there is no keyspace yet", 'Run "indelible init".')
        return
    if not replication["class"].endswith("NetworkTopologyStrategy"):
        advice = "ALTER KEYSPACE to NetworkTopologyStrategy: copies may else stand in one rack."
        yield Finding(
            "keyspace", "notice", f"its copies are placed by {replication['class'].rpartition('.')[2]}", advice
        )
        return
    for name, number in replication.items():
        if name != "class":
            yield _copies_in(name, int(number), nodes.get(name, 0))


def _copies_in(datacenter: str, number: int, nodes: int) -> Finding:
    message = f"{number} {'copy' if number == 1 else 'copies'} in {datacenter}, which has {nodes} nodes"
    if nodes < number:
        return Finding("keyspace", "problem", message, "Start more nodes: copies that are not there protect nothing.")
    if number < CASSANDRA_COPIES_DEFAULT:
        advice = "With fewer than 3 copies every node that is down stops writes, and a lost one may lose events."
        return Finding("keyspace", "problem", message, advice)
    return Finding("keyspace", "ok", message)


def _tables(missing: list[str]) -> Iterator[Finding]:
    if missing:
        yield Finding("keyspace", "notice", f"it lacks {', '.join(missing)}", 'Run "indelible init".')
