"""indelible config show"""

import typer

from indelible.cli.options import ConfigFile, Json, Store, Url
from indelible.cli.output import print_json, print_table
from indelible.server.config import NAMES, load_settings, shown_url

app = typer.Typer(help="Look at the settings.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keeps "show" a command of its own, which typer would fold into its group."""


@app.command()
def show(*, url: Url = None, store: Store = None, config: ConfigFile = None, json: Json = False) -> None:
    """Show every setting, its value and where that comes from.

    Flags override INDELIBLE_* variables, those override the TOML file, that the defaults.

    \b
    INDELIBLE_HTTP=0.0.0.0:8080 indelible config show
    """
    loaded = load_settings({"url": url, "store": store}, config_file=config)
    values = {name: _shown(getattr(loaded.settings, name)) for name in NAMES}
    if json:
        print_json({name: {"value": values[name], "source": loaded.sources[name].name} for name in NAMES})
    else:
        rows = [(name, "-" if values[name] is None else values[name], loaded.sources[name].name) for name in NAMES]
        print_table(("setting", "value", "source"), rows)


def _shown(value: object) -> object:
    """As it is written in a TOML file."""
    return value if value is None or isinstance(value, (int, float)) else shown_url(str(value))
