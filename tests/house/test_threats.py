"""The list of threats names tests that exist, and every threat has one."""

import re

from house.source import ROOT

PAGE = ROOT / "docs" / "explanation" / "threats.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and "| threat |" not in line]


def test_every_threat_has_a_test():
    assert len(ROWS) > 20
    assert [row for row in ROWS if not NAMED.search(row.rpartition(" | ")[2])] == []


def test_the_tests_exist():
    named = {(file, test) for row in ROWS for file, test in NAMED.findall(row)}
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if not (ROOT / file).is_file() or (test and not re.search(rf"def {test}\(", (ROOT / file).read_text("utf-8")))
    ]
    assert missing == []
