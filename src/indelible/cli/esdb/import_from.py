"""What ``indelible import --from`` does: import, compare both sides, and say what was found."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import typer

from indelible.cli.command import FAILED, Target, open_store
from indelible.cli.esdb.connection import connected
from indelible.cli.esdb.digests import DIFFERENCES_SHOWN_MAX, Difference, DigestedEvent, Digests, note_differences
from indelible.cli.esdb.importing import Importer
from indelible.cli.esdb.source import Source, read_digests
from indelible.cli.output import Advance, note, print_fields, print_json, progress
from indelible.client.iterators import iterate_feed
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore
from indelible.wire.esdb.messages import has_stream, id_there
from indelible.wire.esdb.payloads import payload_of
from indelible.wire.esdb.stream_names import stream_of


class Verified(msgspec.Struct, frozen=True):
    """What a comparison of both sides found."""

    events: int
    """At the source, and the same in the store unless there are differences."""
    streams: int
    streams_with_gaps: int
    """Of these: streams that have revisions without events at the source, because they were truncated there, or deleted
    and begun anew. Here the revisions have no gaps, so they are others."""
    revisions_missing: int
    gone: int
    """Events that were imported before, and that the source has no more."""
    different_streams: int
    differences: tuple[Difference, ...]
    """The first of them."""


class ImportReport(msgspec.Struct, frozen=True):
    imported: int
    already_there: int
    ids_changed: int
    position: int
    """The source's commit position up to which the store has everything."""
    tombstoned_streams: int
    """Streams of which this run has read that they were tombstoned."""
    verified: Verified | None = None


class ImportOptions(NamedTuple):
    """What the command line says beside where to."""

    source: str
    excluded: Sequence[str] = ()
    follow: bool = False
    verify: bool = True


async def import_from(target: Target, options: ImportOptions, json: bool) -> None:
    """Raises ``typer.Exit`` when the two sides differ."""
    async with (
        connected(options.source, "/from") as client,
        open_store(target, read_only=False, retry_total_s=10) as store,
    ):
        source = Source(client, options.source, options.excluded)
        importer = Importer(store, source)
        with progress("importing") as advance:
            await importer.run(advance, follow=options.follow)
        verified = None
        if options.verify:
            with progress("verifying") as advance:
                verified = await compare(store, source, importer, advance)
    report = ImportReport(
        **msgspec.structs.asdict(importer.counts), position=importer.position,
        tombstoned_streams=len(source.tombstoned), verified=verified,
    )  # fmt: skip
    _print(report, json)
    if verified is not None and verified.differences:
        raise typer.Exit(FAILED)


# --- Both sides compared ---------------------------------------------------------------------------------------------


async def compare(store: EventStore, source: Source, importer: Importer, advance: Advance) -> Verified:
    up_to = importer.position
    ours = importer.digests
    if not importer.from_start:
        ours = await asyncio.to_thread(read_digests, source, up_to)
    theirs, gone = await _digests_of_store(store, source, ours, up_to, advance)
    differences = ours.differences(theirs)
    return Verified(
        ours.events, len(ours), ours.streams_with_gaps, ours.missing, gone, len(differences),
        tuple(differences[:DIFFERENCES_SHOWN_MAX]),
    )  # fmt: skip


async def _digests_of_store(
    store: EventStore, source: Source, ours: Digests, up_to: int, advance: Advance
) -> tuple[Digests, int]:
    """Of what was imported up to a commit position of the source, and how many of these events the source has no more:
    it takes them from the beginnings of streams."""
    compared = _Compared(source, ours, up_to)
    head, looked_at = (await store.head()).position, 0
    pages = iterate_feed(store)
    while (page := await pages.next_page()) is not None:
        for event in page.events:
            compared.add(event)
        looked_at += page.count
        advance(looked_at, max(head, looked_at))
    return compared.digests, compared.gone


class _Compared:
    """What the store has of a source."""

    def __init__(self, source: Source, ours: Digests, up_to: int) -> None:
        self.digests: Final = Digests()
        self.gone = 0
        self._source: Final = source
        self._ours: Final = ours
        self._up_to: Final = up_to

    def add(self, event: RecordedEvent) -> None:
        if not has_stream(event):
            return
        payload = payload_of(event)
        stream = stream_of(event.aggregate_type, event.aggregate_id)
        position = payload.mark.position
        if self._counts(stream, position):
            digested = DigestedEvent(
                id_there(event, payload), event.event_type, payload.content_type, payload.data, payload.metadata
            )
            self.digests.add(stream, digested, position or 0, event.version - 1)
        elif position is not None and position <= self._up_to and not self._source.excludes(stream):
            self.gone += 1

    def _counts(self, stream: str, position: int | None) -> bool:
        known = self._ours.get(stream)
        if known is None:
            return False
        if position is not None:
            return known.first_position <= position <= self._up_to
        # It was here first and came there from here; or it was appended here since.
        found = self.digests.get(stream)
        return known.events > (0 if found is None else found.events)


# --- What is said about it -------------------------------------------------------------------------------------------


def _print(report: ImportReport, json: bool) -> None:
    if json:
        print_json(report)
        return
    verified = report.verified
    fields: list[tuple[str, object]] = [("imported", report.imported), ("already there", report.already_there)]
    if verified is not None:
        fields = [
            ("result", "different" if verified.differences else "ok"), *fields,
            ("events", verified.events), ("streams", verified.streams),
        ]  # fmt: skip
    print_fields(fields)
    if report.tombstoned_streams:
        note(
            f"{report.tombstoned_streams} streams were tombstoned at the source; what it still has of them is here, "
            "and is shown"
        )
    if report.ids_changed:
        note(
            f"{report.ids_changed} events have an id that another event has already; here they have ids of their own, "
            "and keep the other in their metadata"
        )
    if verified is not None:
        _note_verified(verified)


def _note_verified(verified: Verified) -> None:
    if verified.revisions_missing:
        note(
            f"{verified.streams_with_gaps} streams lack {verified.revisions_missing} revisions at the source, which "
            "were truncated or deleted there; here the revisions of these streams have no gaps, and so are others"
        )
    if verified.gone:
        note(f"{verified.gone} events were imported before, and are at the source no more")
    note_differences(verified.differences, verified.different_streams)
