"""indelible checkpoint: an end that was cut off, and a log that was rewritten, are found by what was signed before."""

import json
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.test_backup import grow

STORE = ("--store", "sqlite:old.db")
HELD_TO = ("--checkpoint", "signed", "--public-key", "key.pub")


@pytest.fixture
def signed(run: Run) -> Path:
    """Checkpoints at 10, 2,500 and 3,000 events; the store has five more."""
    assert run("checkpoint", "keygen", "key").code == 0
    lines, first = "", 0
    for last in (10, 2_500, 3_000):
        grow(run, first, last)
        lines += run("checkpoint", "create", "--key", "key", *STORE).out
        first = last
    grow(run, 3_000, 3_005)
    file = Path("signed")
    file.write_text(lines)
    return file


@pytest.mark.usefixtures("signed")
def test_a_log_is_what_was_signed(run: Run) -> None:
    ran = run("verify", *HELD_TO, *STORE)
    assert (ran.code, ran.out.splitlines()[-1].split()) == (0, ["checkpoints", "3"])
    run("backup", "backup", *STORE)
    assert json.loads(run("verify", *HELD_TO, "--backup", "backup", "--json").out)["verified"] == 3_005


@pytest.mark.usefixtures("signed")
def test_an_end_that_was_cut_off_is_found(run: Run) -> None:
    run("backup", "backup", *STORE)
    for kept, missing in ((3_000, None), (2_999, 3_000), (2_700, 2_701), (4, 5)):
        short = ("--store", f"sqlite:{kept}.db")
        run("restore", "backup", *short, "--to", kept)
        assert run("verify", *short).code == 0
        ran = run("verify", *HELD_TO, *short, "--json")
        damage = json.loads(ran.out)["damage"]
        assert (ran.code, damage and damage["position"]) == ((0, None) if missing is None else (5, missing))
        if missing is not None:
            assert "is missing: the log ends before it, but a checkpoint" in damage["reason"]


@pytest.mark.usefixtures("signed")
def test_a_log_that_was_rewritten_is_found(run: Run) -> None:
    """Its chain is sound: it was made anew from some position on."""
    run("backup", "backup", *STORE)
    for kept, named in ((0, 1), (7, 2), (10, 11), (2_600, 2_501)):
        other = ("--store", f"sqlite:{kept}.db")
        if kept:
            run("restore", "backup", *other, "--to", kept)
        grow(run, 5_000, 8_100 - kept, *other)
        assert run("verify", *other).code == 0
        ran = run("verify", *HELD_TO, *other)
        assert ran.code == 5
        assert f"DAMAGED: the event at position {named} " in ran.err
    assert (
        "is another one, or was rewritten from its beginning" in run("verify", *HELD_TO, "--store", "sqlite:0.db").err
    )


def test_what_was_not_signed_counts_for_nothing(run: Run, signed: Path) -> None:
    run("checkpoint", "keygen", "other")
    ran = run("verify", "--checkpoint", "signed", "--public-key", "other.pub", *STORE)
    assert (ran.code, "was not signed so by the key" in ran.err) == (2, True)
    good = signed.read_text()
    for bad in (good.replace('"position":2500', '"position":2501'), good.replace('"format":1', '"format":2')):
        signed.write_text(bad)
        assert run("verify", *HELD_TO, *STORE).code == 2
    signed.write_text("\n")
    assert "has no checkpoint in it" in run("verify", *HELD_TO, *STORE).err
    assert "is needed with --checkpoint" in run("verify", "--checkpoint", "signed", *STORE).err
    assert "no public key in PEM" in run("verify", "--checkpoint", "signed", "--public-key", "key", *STORE).err


def test_keys_are_kept_to_their_owner_and_openssls_are_taken(run: Run) -> None:
    run("append", "order", "1", "OrderPlaced", *STORE)
    run("checkpoint", "keygen", "key")
    assert Path("key").stat().st_mode & 0o777 == 0o600
    assert "never written over" in run("checkpoint", "keygen", "key").err
    subprocess.run(
        "openssl genpkey -algorithm ed25519 -out o.key; openssl pkey -in o.key -pubout -out o.pub",
        shell=True,
        check=True,
    )
    for name in ("key", "o"):
        key = "o.key" if name == "o" else "key"
        Path("signed").write_text(run("checkpoint", "create", "--key", key, *STORE).out)
        assert run("verify", "--checkpoint", "signed", "--public-key", f"{name}.pub", *STORE).code == 0
    assert "is no private key" in run("checkpoint", "create", "--key", "key.pub", *STORE).err
    # Of an empty log, too, which holds the log to nothing.
    run("init", "--store", "sqlite:empty.db")
    Path("signed").write_text(run("checkpoint", "create", "--key", "key", "--store", "sqlite:empty.db").out)
    assert run("verify", *HELD_TO, *STORE).code == 0
