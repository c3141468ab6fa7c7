"""Small modules, small functions, nothing left for later."""

import ast
from statistics import median

from house.source import (
    PACKAGE,
    ROOT,
    committed_files,
    functions,
    line_count,
    matching_lines,
    median_length,
    package_files,
    parse,
    python_files,
)

MODULE_LINES_MAX = 600
SMALL_MODULE_LINES = 40
SMALL_MODULES_MAX = 15
"""Beside files that only mark a package: each small module is one more door on a reader's way."""
MODULE_LINES_MEDIAN = (120, 220)
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = 10

# Written in pieces, so that this file does not find itself.
LEFT_FOR_LATER = r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b"
NOT_COVERED = r"pragma: no " + r"cover"
BLANKET_IGNORE = r"type: ig" + r"nore(?!" + r"\[[a-z-]+\] *#)"
# An import after a call (E402) has its reason in the call above it.
BLANKET_NOQA = r"# no" + r"qa(?!: E402)(?!: [A-Z]+\d+.* - )"
UNEXPLAINED_SKIP = r"@pytest\.mark\.(skip|xfail)\b(?!.*rea" + r"son)"


def test_the_rules_see_the_source():
    assert len(package_files()) > 20
    assert len([function for path in package_files() for function in functions(path)]) > 100


def test_modules_are_small():
    assert [f"{path.relative_to(ROOT)}" for path in python_files() if line_count(path) > MODULE_LINES_MAX] == []


def test_modules_are_not_too_small():
    lengths = {path: line_count(path) for path in package_files() if path.name != "__init__.py"}
    small = [f"{path.relative_to(ROOT)}" for path, lines in lengths.items() if lines < SMALL_MODULE_LINES]
    assert len(small) <= SMALL_MODULES_MAX, small
    least, most = MODULE_LINES_MEDIAN
    assert least <= median(lengths.values()) <= most


def test_functions_are_small():
    every = [function for path in python_files() for function in functions(path)]
    assert [function for function in every if function.lines > FUNCTION_LINES_MAX] == []
    assert median_length(package_files()) <= FUNCTION_LINES_MEDIAN_MAX


def test_nothing_is_left_for_later():
    assert matching_lines(LEFT_FOR_LATER, python_files()) == []
    assert matching_lines(NOT_COVERED, python_files()) == []


def test_every_suppression_has_its_code_and_reason():
    """``type: ignore[code]  # reason``, ``noqa: CODE - reason``, ``skip(reason=...)``."""
    assert matching_lines(BLANKET_IGNORE, python_files()) == []
    assert matching_lines(BLANKET_NOQA, package_files()) == []
    assert matching_lines(UNEXPLAINED_SKIP, python_files()) == []


def test_cursors_are_opaque():
    """What is in one is for its own module to know; the store of this process asks that."""
    store = ("store", "subscriptions", "condition_scans", "consumer_groups", "relays")
    may_ask = (
        "cursors.py",
        "eventstore.py",
        "engines/",
        "testing/",
        "core/partitions/",
        "integrations/eventsourcing/",  # that library counts positions
        "server/esdb/",  # its clients do, too, and its stores have one partition
        *(f"core/{name}.py" for name in store),
    )
    others = [path for path in package_files() if not path.relative_to(PACKAGE).as_posix().startswith(may_ask)]
    assert len(others) > 60
    assert matching_lines(r"\b(cursor_at|position_of)\b|cursor\.position|Cursor\(\w+\.position", tuple(others)) == []


def test_modules_say_what_they_are_for():
    silent = [
        path.relative_to(ROOT) for path in python_files() if parse(path).body and not ast.get_docstring(parse(path))
    ]
    assert silent == []


def test_sql_that_writes_stands_in_sql_files():
    engines = tuple(path for path in package_files() if "engines" in path.parts)
    assert (
        matching_lines(r"\b(INSERT (OR \w+ )?INTO|DELETE FROM|UPDATE \w+ SET|CREATE (TEMP )?\w+ \w+)\b", engines) == []
    )
    assert len([path for path in committed_files() if path.suffix == ".sql"]) > 10
