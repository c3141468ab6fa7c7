"""indelible checkpoint keygen and create"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from indelible.cli.command import Json, Target, naming_files, on_store
from indelible.cli.output import print_fields, print_json
from indelible.cli.whole_log import open_whole_log
from indelible.errors import InvalidRequest

app = typer.Typer(help="Sign where the log ends, to find later that its end was cut off.", rich_markup_mode=None)

_PrivateFile = Annotated[Path, typer.Argument(metavar="FILE", help="The private key's; the public one's is FILE.pub.")]
_Key = Annotated[Path, typer.Option("--key", metavar="FILE", help="The private key to sign with: Ed25519, PEM.")]


class _Keys(msgspec.Struct):
    private_key: str
    public_key: str
    key: str
    """Its id."""


@app.command()
def keygen(file: _PrivateFile, *, json: Json = False) -> None:
    """Make a pair of keys to sign checkpoints with.

    The private one, which only its owner may read, stays with whoever signs; verify needs the public one alone. openssl
    makes such keys too: "openssl genpkey -algorithm ed25519", and "openssl pkey -pubout".

    \b
    indelible checkpoint keygen checkpoints.key
    """
    from indelible.core.checkpoints import make_keys

    public = file.with_name(f"{file.name}.pub")
    for path in (file, public):
        if path.exists():
            raise InvalidRequest(f"{path} is there already, and a key is never written over", pointer="/file")
    with naming_files("/file"):
        keys = _Keys(str(file), str(public), make_keys(file, public))
    if json:
        print_json(keys)
    else:
        print_fields([("private key", keys.private_key), ("public key", keys.public_key), ("key id", keys.key)])


@app.command()
@on_store
async def create(target: Target, *, key: _Key) -> None:
    """Print where the log ends now, signed: one line of JSON.

    Keep it where those who may write the store may not: it shows later, to "verify --checkpoint", that an end was cut
    off or the log was rewritten. Lines may be gathered in one file. Signing looks at the end of the log alone, so
    run verify as well. A server that controls access is asked by whoever holds read:* and admin:*.

    \b
    indelible checkpoint create --key checkpoints.key --url http://127.0.0.1:8080 >> checkpoints.ndjson
    """
    from indelible.core.checkpoints import read_private_key, sign_checkpoint

    with naming_files("/key"):
        private = read_private_key(key)
    async with open_whole_log(target) as store:
        print_json(await sign_checkpoint(store, private))
