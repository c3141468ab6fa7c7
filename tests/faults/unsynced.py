"""Files and directories that know what of them has reached the disk, and what a power cut may leave of the rest.

Pure, and in memory; ``faults.forgetful_disk`` mounts it. What it takes a disk and its file system to do:

- A file's bytes and length are safe once the file is synced (fsync and fdatasync alike). Until then each page of 4 KiB
  may be on the disk as it was at the last sync or as it was after any later write, whatever has become of the pages
  beside it and in whatever order they were written. A page may also be torn: each of its sectors of 512 bytes is then
  from any of those times.
- A length may be that of the last sync, the newest, or one between. Pages below it that were never written are zero.
- What a directory holds is safe once the directory is synced; syncing a file makes none of its names safe. Until then
  a directory has lived through some of its changes (create, link, unlink, rename, mkdir, rmdir) in the order in which
  they were made, as a journal has it, and no part of a rename alone.
- Each cut has a luck of its own: now and then nothing that was not synced survives, or all of it does.
- What was synced is whole. The one disk modelled that loses it says that it has synced, and has not.
"""

import itertools
import random
from collections import defaultdict
from typing import Final

import msgspec

PAGE_BYTES: Final = 4_096
SECTOR_BYTES: Final = 512
TORN: Final = 0.2
"""Share of the pages which a cut finds unsynced that are torn."""
STATES_MAX: Final = 6
"""Of an unsynced page that are remembered. The oldest are taken to have been overwritten on the disk."""

_numbers: Final = itertools.count(1)


class Lost(msgspec.Struct):
    """What cuts found unsynced."""

    cuts: int = 0
    pages_unsynced: int = 0
    pages_kept: int = 0
    """As they were written last."""
    pages_torn: int = 0
    lengths_lost: int = 0
    names_unsynced: int = 0
    """Changes of directories."""
    names_lost: int = 0


class File:
    def __init__(self) -> None:
        self.number = next(_numbers)
        self.data = bytearray()
        self.links = 0
        self._safe = bytearray()
        self._states: defaultdict[int, list[bytes]] = defaultdict(list)
        """By number: what each page has been since the last sync, padded with zeros."""
        self._lengths: list[int] = []
        """Since the last sync."""

    def write(self, data: bytes, offset: int) -> None:
        if offset > len(self.data):
            self.truncate(offset)
        end = offset + len(data)
        if end > len(self.data):
            self._remember_length(end)
        self.data[offset:end] = data
        self._remember_pages(offset, end)

    def truncate(self, length: int) -> None:
        old = len(self.data)
        if length < old:
            del self.data[length:]
        else:
            self.data.extend(bytes(length - old))
        self._remember_length(length)
        self._remember_pages(min(length, old), max(length, old))

    def sync(self) -> None:
        length = len(self.data)
        del self._safe[length:]
        self._safe.extend(bytes(length - len(self._safe)))
        for page in self._states:
            first = page * PAGE_BYTES
            if first < length:
                self._safe[first : first + PAGE_BYTES] = self.data[first : first + PAGE_BYTES]
        self._states.clear()
        self._lengths.clear()

    def cut(self, chance: random.Random, luck: float, lost: Lost) -> None:
        """``luck`` is how likely a page, or the length, is as it was last."""
        length = self._length_left(chance, luck)
        lost.lengths_lost += length != len(self.data)
        left = bytearray(self._safe[:length])
        left.extend(bytes(length - len(left)))
        for page in sorted(self._states):
            first = page * PAGE_BYTES
            found = self._page_left(page, chance, luck, lost)
            if first < length:
                left[first : first + PAGE_BYTES] = found[: length - first]
        self.data, self._safe = left, bytearray(left)
        self._states.clear()
        self._lengths.clear()

    def _length_left(self, chance: random.Random, luck: float) -> int:
        if not self._lengths or chance.random() < luck:
            return len(self.data)
        return chance.choice([len(self._safe), *self._lengths]) if luck else len(self._safe)

    def _page_left(self, page: int, chance: random.Random, luck: float, lost: Lost) -> bytes:
        states = [_page(self._safe, page), *self._states[page]]
        lost.pages_unsynced += 1
        if 0 < luck < 1 and chance.random() < TORN:
            lost.pages_torn += 1
            sectors = range(0, PAGE_BYTES, SECTOR_BYTES)
            return b"".join(chance.choice(states)[sector : sector + SECTOR_BYTES] for sector in sectors)
        if chance.random() < luck:
            lost.pages_kept += 1
            return states[-1]
        return chance.choice(states) if luck else states[0]

    def _remember_length(self, length: int) -> None:
        self._lengths.append(length)
        del self._lengths[STATES_MAX:-STATES_MAX]

    def _remember_pages(self, first: int, end: int) -> None:
        for page in range(first // PAGE_BYTES, -(-end // PAGE_BYTES)):
            states = self._states[page]
            states.append(_page(self.data, page))
            del states[:-STATES_MAX]


class Directory:
    def __init__(self) -> None:
        self.number = next(_numbers)
        self.entries: dict[str, Entry] = {}
        self._safe: dict[str, Entry] = {}
        self._changes: list[dict[str, Entry | None]] = []
        """Since the last sync. Each says what names stand for from then on."""

    def change(self, names: "dict[str, Entry | None]") -> None:
        """At once, in the order given: a rename takes a name away and gives another."""
        for name, entry in names.items():
            _set(self.entries, name, entry)
        self._changes.append(names)

    def sync(self) -> None:
        self._safe = dict(self.entries)
        self._changes.clear()

    def cut(self, chance: random.Random, luck: float, lost: Lost) -> None:
        """With all that is below."""
        is_lucky = chance.random() < luck
        kept = len(self._changes) if is_lucky else chance.randint(0, len(self._changes)) if luck else 0
        for names in self._changes[:kept]:
            for name, entry in names.items():
                _set(self._safe, name, entry)
        lost.names_unsynced += len(self._changes)
        lost.names_lost += len(self._changes) - kept
        self.entries = dict(self._safe)
        self._changes.clear()
        for entry in {id(entry): entry for entry in self.entries.values()}.values():
            entry.cut(chance, luck, lost)


Entry = File | Directory


def cut(root: Directory, chance: random.Random, lost: Lost) -> None:
    """The power fails, and comes back."""
    lost.cuts += 1
    root.cut(chance, chance.choice([0.0, 1.0, chance.random(), chance.random()]), lost)


def _page(data: bytearray, page: int) -> bytes:
    return bytes(data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES]).ljust(PAGE_BYTES, b"\0")


def _set(entries: dict[str, Entry], name: str, entry: Entry | None) -> None:
    if entry is None:
        entries.pop(name, None)
    else:
        entries[name] = entry
