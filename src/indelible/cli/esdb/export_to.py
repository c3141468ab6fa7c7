"""What ``indelible export --to`` does: export, compare both sides, and say what was found."""

import asyncio

import msgspec
import typer

from indelible.cli.command import FAILED, Target, open_store
from indelible.cli.esdb.connection import connected
from indelible.cli.esdb.digests import DIFFERENCES_SHOWN_MAX, Difference, DigestedEvent, Digests, note_differences
from indelible.cli.esdb.exporting import ExportCounts, Exporter, is_sent
from indelible.cli.esdb.source import Source, read_digests
from indelible.cli.output import Advance, note, print_fields, print_json, progress
from indelible.client.iterators import iterate_feed
from indelible.events import BINARY_CONTENT_TYPE, JSON_CONTENT_TYPE
from indelible.eventstore import EventStore
from indelible.wire.esdb.messages import id_there
from indelible.wire.esdb.payloads import payload_of
from indelible.wire.esdb.stream_names import stream_of


class ExportVerified(msgspec.Struct, frozen=True):
    """What a comparison of both sides found."""

    events: int
    """In the store, and the same there unless there are differences."""
    streams: int
    other_streams: int
    """Streams that are there only."""
    different_streams: int
    differences: tuple[Difference, ...]
    """The first of them."""


class ExportReport(msgspec.Struct, frozen=True):
    sent: int
    tags_left: int
    system_left: int
    """Events that were not sent."""
    position: int
    """Of the last event that is there."""
    verified: ExportVerified | None = None


async def export_to(target: Target, url: str, json: bool, *, verify: bool = True) -> None:
    """Raises ``typer.Exit`` when the two sides differ."""
    async with connected(url, "/to") as client, open_store(target, read_only=True, retry_total_s=10) as store:
        exporter = Exporter(store, client, url)
        with progress("exporting") as advance:
            await exporter.run(advance)
        verified = None
        if verify:
            with progress("verifying") as advance:
                verified = await compare_exported(store, Source(client, url), exporter.position, advance)
    _print(exporter.counts, exporter.position, verified, json)
    if verified is not None and verified.differences:
        raise typer.Exit(FAILED)


async def compare_exported(store: EventStore, there: Source, up_to: int, advance: Advance) -> ExportVerified:
    """``up_to``: a position of the store."""
    end = await asyncio.to_thread(there.end)
    theirs = asyncio.create_task(asyncio.to_thread(read_digests, there, end, content_type=content_type_there))
    ours = Digests()
    pages = iterate_feed(store)
    while (page := await pages.next_page()) is not None:
        for event in page.events:
            if event.position > up_to or not is_sent(event):
                continue
            payload = payload_of(event)
            digested = DigestedEvent(
                id_there(event, payload), event.event_type, content_type_there(payload.content_type), payload.data,
                payload.metadata,
            )  # fmt: skip
            ours.add(stream_of(event.aggregate_type, event.aggregate_id), digested, event.position, event.version - 1)
        advance(page.events[-1].position if page.count else up_to, up_to)
    found = await theirs
    differences = ours.differences(found)
    return ExportVerified(
        ours.events, len(ours), len(found.keys() - ours.keys()), len(differences),
        tuple(differences[:DIFFERENCES_SHOWN_MAX]),
    )  # fmt: skip


def content_type_there(content_type: str) -> str:
    """Such a server tells JSON from bytes, and gives no other type back."""
    return content_type if content_type == JSON_CONTENT_TYPE else BINARY_CONTENT_TYPE


def _print(counts: ExportCounts, position: int, verified: ExportVerified | None, json: bool) -> None:
    if json:
        print_json(ExportReport(**msgspec.structs.asdict(counts), position=position, verified=verified))
        return
    fields: list[tuple[str, object]] = [("sent", counts.sent)]
    if verified is not None:
        fields = [
            ("result", "different" if verified.differences else "ok"), *fields,
            ("events", verified.events), ("streams", verified.streams),
        ]  # fmt: skip
    print_fields(fields)
    if counts.tags_left:
        note(f"{counts.tags_left} events have tags, which stay behind")
    if counts.system_left:
        note(f"{counts.system_left} events are in streams whose names begin with $, which stay behind")
    if verified is not None:
        note_differences(verified.differences, verified.different_streams)
