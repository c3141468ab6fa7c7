"""indelible verify"""

import typer

from indelible.cli.exit_codes import DAMAGED
from indelible.cli.options import ConfigFile, Json, Store, Url
from indelible.cli.output import note, print_error, print_fields, print_json
from indelible.cli.progress import progress
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.core.verify import VerifyReport
from indelible.core.verify import verify as verify_log
from indelible.errors import StoreCorrupted


def verify(*, url: Url = None, store: Store = None, config: ConfigFile = None, json: Json = False) -> None:
    """Check the hash chain of the whole log.

    Exit code 5 names damage: the first position that is not as it was written. A server may have the store open. Keep
    the printed position and hash somewhere else, to see later that no end was cut off and nothing was rewritten.

    \b
    indelible verify --store sqlite:data/indelible.db
    """
    run(_verify(Target.chosen(url, store, config), json))


async def _verify(target: Target, json: bool) -> None:
    try:
        with progress("verifying") as advance:
            async with open_store(target, read_only=True, retry_total_s=10) as store:
                report = await verify_log(store, on_progress=advance)
    except StoreCorrupted as error:
        # The damage is such that not even the store can be opened, or its head be found.
        print_error(error, as_json=json)
        raise typer.Exit(DAMAGED) from None
    if json:
        print_json(report)
    else:
        print_fields(_fields(report))
    if report.damage is not None:
        if not json:
            note(f"indelible: DAMAGED: the event at position {report.damage.position} {report.damage.reason}")
        raise typer.Exit(DAMAGED)


def _fields(report: VerifyReport) -> list[tuple[str, object]]:
    return [
        ("result", "ok" if report.damage is None else f"damaged at position {report.damage.position}"),
        ("head", report.head),
        ("verified", report.verified),
        ("hash", report.hash),
    ]
