"""What a history can get wrong, by name."""

from enum import StrEnum

import msgspec


class Rule(StrEnum):
    """Named for what is wrong when it is broken."""

    POSITION_GAP = "position gap"
    VERSION_GAP = "version gap"
    TIME_WENT_BACK = "time went back"
    DOUBLED_EVENT = "doubled event"
    UNSENT_EVENT = "unsent event"
    CHANGED_EVENT = "changed event"
    LOST_ACKNOWLEDGEMENT = "lost acknowledgement"
    REFUSED_BUT_STORED = "refused but stored"
    TORN_APPEND = "torn append"
    OUT_OF_ORDER = "out of order"
    """An append begun after an event was known stands before it."""
    TWO_WINNERS = "two winners"
    UNMET_EXPECTATION = "unmet expectation"
    FALSE_CONFLICT = "false conflict"
    WRONG_ANSWER = "wrong answer"
    WRONG_REPLAY = "wrong replay"
    UNEXPECTED_ANSWER = "unexpected answer"
    STALE_READ = "stale read"
    FUTURE_READ = "future read"
    WRONG_READ = "wrong read"
    REORDERED_PAGE = "reordered page"
    SKIPPED_EVENT = "skipped event"


class Violation(msgspec.Struct, frozen=True):
    rule: Rule
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"
