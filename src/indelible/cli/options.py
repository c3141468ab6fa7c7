"""Arguments and options that several commands share."""

from typing import Annotated

import typer

AggregateType = Annotated[str, typer.Argument(help='What kind of thing, such as "order".')]
AggregateId = Annotated[str, typer.Argument(help="Which one of them.")]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="A server, such as http://127.0.0.1:8080. [INDELIBLE_URL]")
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="A local store, such as sqlite:data/indelible.db. [INDELIBLE_STORE]"),
]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="A TOML file with settings. [INDELIBLE_CONFIG, ./indelible.toml]"),
]
To = Annotated[str, typer.Option("--to", metavar="URL", help="A store's URL; no server may have it open.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and errors as JSON problem documents.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Stop after N.")]
Backward = Annotated[bool, typer.Option("--backward", help="Newest first.")]
