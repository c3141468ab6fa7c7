"""Which of the offered media types the caller wants (RFC 9110, section 12.5.1)."""

from indelible.errors import NotAcceptable


def negotiate(accept: bytes | None, offered: tuple[str, ...]) -> str:
    """The offered type that the Accept header weighs highest; of equals the one offered first.

    Raises ``NotAcceptable`` when it takes none of them.
    """
    if accept is None:
        return offered[0]
    ranges = [_parse_range(part) for part in accept.decode("latin-1").lower().split(",")]
    best = max(offered, key=lambda media_type: _weight(media_type, ranges))
    if _weight(best, ranges) <= 0:
        raise NotAcceptable(f"offered here: {', '.join(offered)}", offered=list(offered))
    return best


def _parse_range(text: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip() for part in text.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return media_range, float(parameter[2:])
            except ValueError:
                return media_range, 0.0
    return media_range, 1.0


def _weight(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """What the most specific range that matches says."""
    main = media_type.partition("/")[0]
    by_range = dict(ranges)
    for media_range in (media_type, f"{main}/*", "*/*"):
        if media_range in by_range:
            return by_range[media_range]
    return 0.0
