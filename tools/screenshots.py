"""Takes the pictures of docs/images: ``python tools/screenshots.py [FOLDER]``.

Each is of the real thing, on a store of a small shop: the terminal screens as SVG, and the page at ``/`` in a headless
Chromium as PNG. Look at them before you commit them: no test does.
"""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from indelible import NewEvent
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.eventstore import EventStore
from indelible.queries import EventQuery
from indelible.server.compose import make_services
from indelible.server.config import Address
from indelible.server.http.app import HttpApp
from indelible.server.http.connection import serving
from indelible.server.http.routes import ROUTES
from indelible.ui.app import LookAround
from indelible.ui.session import Session

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "images"
CHROMIUM: Final = shutil.which("chromium") or "chromium"
_PAGES: Final = (
    ("page-light.png", "1280,900", 1),
    ("page-dark.png", "1280,900", 0),
    ("page-narrow.png", "500,1500", 1),
)
"""Name, size of the window, and Chromium's number of the colours that the reader prefers."""


async def main(folder: Path) -> None:
    async with LocalEventStore(MemoryEngine()) as store:
        await fill(store)
        await take_screens(store, folder)
        await take_pages(store, folder)


# --- The store -------------------------------------------------------------------------------------------------------


async def fill(store: EventStore) -> None:
    """Orders that are placed, paid and sent; groups that follow, one of them with events that it could not take."""
    customers = ("ada", "grace", "edsger", "barbara", "tony")
    for number in range(1, 121):
        customer, total = customers[number % 5], round(7.5 + number * 13.37 % 180, 2)
        placed = NewEvent(
            "OrderPlaced",
            {
                "customer": customer,
                "total": total,
                "lines": [{"sku": f"book-{number % 9}", "quantity": number % 3 + 1}],
            },
            tags=[f"customer:{customer}"],
        )
        order = f"o-{1000 + number}"
        await store.append("order", order, [placed], expected_version="none")
        if number % 7:
            await store.append("order", order, [NewEvent("OrderPaid", {"by": "card", "amount": total})])
            await store.append("invoice", f"i-{number}", [NewEvent("InvoiceIssued", {"order": order, "total": total})])
        if number % 3 == 0:
            await store.append("order", order, [NewEvent("OrderSent", {"carrier": "post", "parcel": f"P{number:06}"})])
            await store.append("shipment", f"s-{number}", [NewEvent("ParcelHandedOver", {"order": order})])
    await _make_groups(store)


async def _make_groups(store: EventStore) -> None:
    head = (await store.head()).position
    await store.groups.create("mails", start="end")
    await store.groups.create("warehouse", EventQuery.of(event_types=["OrderPaid"]))
    await store.groups.create("billing", EventQuery.of(aggregate_types=["order"]), max_in_flight=200)
    for turn in range(3):
        taken = await store.groups.pull("billing", member="billing-1", limit=100)
        refused = [one.delivery_id for one in taken[7:80:19]] if turn == 0 else []
        await store.groups.ack("billing", [one.delivery_id for one in taken if one.delivery_id not in refused])
        for number, delivery_id in enumerate(refused):
            reason = ("HTTP 422: the total is not that of the lines", "the customer has no address")[number % 2]
            await store.groups.nack("billing", [delivery_id], reason=reason, park=True)
    await store.groups.pull("warehouse", member="robot-7", limit=3)
    lease = await store.relays.claim("kafka", "relay-1")
    await store.relays.advance("kafka", lease.epoch, (await store.read_feed(limit=200)).cursor, published=200)
    assert head > 200


# --- The terminal screens --------------------------------------------------------------------------------------------

_NARROW: Final = (60, 24)
_USUAL: Final = (80, 24)
_WIDE: Final = (160, 36)
_SCREENS: Final[Sequence[tuple[str, tuple[int, int], Sequence[str]]]] = (
    ("ui-feed-60.svg", _NARROW, ("2", "down")),
    ("ui-feed-80.svg", _USUAL, ("2", "down")),
    ("ui-feed-160.svg", _WIDE, ("2", "down", "down")),
    ("ui-tail-80.svg", _USUAL, ("3",)),
    ("ui-aggregate-80.svg", _USUAL, ("2", "t")),
    ("ui-groups-60.svg", _NARROW, ("5",)),
    ("ui-groups-80.svg", _USUAL, ("5",)),
    ("ui-parked-60.svg", _NARROW, ("5", "enter")),
    ("ui-parked-80.svg", _USUAL, ("5", "enter")),
    ("ui-parked-160.svg", _WIDE, ("5", "enter")),
    ("ui-help-80.svg", _USUAL, ("question_mark",)),
    ("ui-overview-60.svg", _NARROW, ()),
    ("ui-overview-80.svg", _USUAL, ()),
    ("ui-overview-160.svg", _WIDE, ()),
)
"""Name, columns and rows, and the keys that lead there. Events come while an overview is taken, so these are last."""
_SETTLED_S: Final = 1.2
"""What is asked for each second has been answered by then."""


async def take_screens(store: EventStore, folder: Path) -> None:
    for name, size, keys in _SCREENS:
        app = LookAround(Session(store, "http://127.0.0.1:8080"))
        async with app.run_test(size=size) as pilot:
            for key in keys:
                await pilot.press(key)
                await pilot.pause(_SETTLED_S / 2)
            if "3" in keys:
                await store.append(
                    "order", "o-2001", [NewEvent("OrderPlaced", {"total": 12.5}), NewEvent("OrderPaid", {})]
                )
            for number in range(0 if keys else 5):
                await store.append("order", "o-2002", [NewEvent("OrderPaid", {"part": number})])
                await pilot.pause(_SETTLED_S / 2)
            await pilot.pause(_SETTLED_S)
            await asyncio.to_thread((folder / name).write_text, without_fonts(app.export_screenshot()), "utf-8")


def without_fonts(picture: str) -> str:
    """Which would be fetched from elsewhere by whoever looks at it; those of the reader do."""
    return re.sub(r"@font-face \{.*?\}\n?", "", picture, flags=re.DOTALL)


# --- The page at / ---------------------------------------------------------------------------------------------------


async def take_pages(store: LocalEventStore, folder: Path) -> None:
    services = make_services(store)
    services.engine = "sqlite"
    async with serving(HttpApp(services, ROUTES), Address("127.0.0.1", 0), shutdown_grace_s=5) as url:
        for name, size, colours in _PAGES:
            await asyncio.to_thread(_take_page, url, folder / name, size, colours)
        services.stopping.set()


def _take_page(url: str, picture: Path, size: str, colours: int) -> None:
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        f"--blink-settings=preferredColorScheme={colours}", f"--window-size={size}", f"--screenshot={picture}", url,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    chosen.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(chosen))
