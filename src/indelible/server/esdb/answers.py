"""The messages that reads of streams and of $all are answered with."""

from indelible.events import RecordedEvent
from indelible.server.esdb.links import LinkStream, Resolved
from indelible.wire.esdb.messages import fill_event
from indelible.wire.esdb.pb import streams_pb2 as pb


def event_read(found: Resolved, *, structured: bool, data: bytes | None = None) -> bytes:
    """``structured``: whether ids are given as two halves. ``data``: what is given in place of the event's."""
    message = pb.ReadResp()
    if found.event is not None:
        fill_event(message.event.event, found.event, structured=structured)
        if data is not None:
            message.event.event.data = data
    if found.link is not None:
        fill_event(message.event.link, found.link, structured=structured)
    message.event.commit_position = found.original.position
    return message.SerializeToString()


def link_read(links: LinkStream, event: RecordedEvent, *, resolve_links: bool, structured: bool) -> bytes:
    """Of an event in a stream of links that are not stored."""
    message = pb.ReadResp()
    links.fill_link(message.event.link if resolve_links else message.event.event, event, structured=structured)
    if resolve_links:
        fill_event(message.event.event, event, structured=structured)
    message.event.commit_position = event.position
    return message.SerializeToString()


def stream_not_found(stream: str) -> bytes:
    message = pb.ReadResp()
    message.stream_not_found.stream_identifier.stream_name = stream.encode()
    return message.SerializeToString()


def first_stream_position(revision: int) -> bytes:
    return pb.ReadResp(first_stream_position=revision).SerializeToString()


def last_stream_position(revision: int) -> bytes:
    return pb.ReadResp(last_stream_position=revision).SerializeToString()


def last_all_stream_position(position: int) -> bytes:
    message = pb.ReadResp()
    last = message.last_all_stream_position
    last.commit_position = last.prepare_position = position
    return message.SerializeToString()
