"""Paths of the REST API that name things."""

from urllib.parse import quote

from indelible.events import AggregateKey


def segment(text: str) -> str:
    """Text as one segment of a path. Dots are escaped where they alone would mean "here" or "one up"."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def aggregate_path(key: AggregateKey) -> str:
    return f"/v1/aggregates/{segment(key.aggregate_type)}/{segment(key.aggregate_id)}"


def group_path(group: str) -> str:
    return f"/v1/groups/{segment(group)}"
