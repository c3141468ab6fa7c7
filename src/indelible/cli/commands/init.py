"""indelible init"""

import os
from typing import Annotated, Final

import typer

from indelible.cli.options import ConfigFile, Json
from indelible.cli.output import print_fields, print_json
from indelible.cli.running import run
from indelible.server.config import load_settings, shown_url

PASSWORD_VARIABLE: Final = "INDELIBLE_RUNTIME_PASSWORD"  # noqa: S105 - the name of a variable

Store = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="The store to make or to migrate. [INDELIBLE_STORE]")
]
RuntimeRole = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A database role for servers; made if there is none, with the least rights."),
]
PostDeploy = Annotated[
    bool, typer.Option("--post-deploy", help="Also do the steps for which no server of an older version may be left.")
]


def init(
    *,
    store: Store = None,
    runtime_role: RuntimeRole = None,
    post_deploy: PostDeploy = False,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Make a store, or bring its schema to the newest version.

    A server does the same by itself when its role may. Where it may not, run this as the owner of the database, before
    servers of a new version start; they and those of the version before then run side by side. Once the old ones are
    gone, run it again with --post-deploy. All of it may be repeated.

    The runtime role owns nothing: it reads, adds events, saves snapshots and keeps consumer groups, and can change or
    delete no event. Its password, if it needs one, is taken from INDELIBLE_RUNTIME_PASSWORD.

    \b
    indelible init --store postgresql://owner@db.internal/events --runtime-role indelible
    """
    url = load_settings({"store": store}, config_file=config).settings.store
    run(_init(url, runtime_role, post_deploy=post_deploy, json=json))


async def _init(url: str, runtime_role: str | None, *, post_deploy: bool, json: bool) -> None:
    from indelible.core.open import init_store

    password = os.environ.get(PASSWORD_VARIABLE) or None
    report = await init_store(url, runtime_role=runtime_role, password=password, post_deploy=post_deploy)
    if json:
        print_json(report)
        return
    steps = ", ".join(report.steps) or "none were missing"
    fields: list[tuple[str, object]] = [("store", shown_url(url)), ("steps", steps)]
    if report.runtime_role is not None:
        fields.append(("role", f"{report.runtime_role} ({'made' if report.is_role_new else 'was there'})"))
    print_fields(fields)
