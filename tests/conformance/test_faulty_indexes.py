"""The suite of indexes catches faults that it is there to catch."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from conformance import faulty_indexes

TIMEOUT_S = 1_200
QUICK = "not (letter or long or one_by_one or distinct or out_of_order or strings or event_ids or odd or words)"
"""Tests that do not take seconds; the model itself is put through all of them elsewhere."""


def test_each_fault_is_caught(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    command = [
        sys.executable, "-m", "pytest", faulty_indexes.__file__, "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
        "-k", QUICK,
    ]  # fmt: skip
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert result.returncode == 1, result.stdout
    failed: dict[str, list[str]] = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        assert case.find("error") is None, result.stdout
        failed[case.get("classname", "").rpartition(".Test")[2]] += [case.get("name", "")] * len(
            case.findall("failure")
        )
    faultless = (faulty_indexes.Faultless, faulty_indexes.Refusing)
    faults = (*faulty_indexes.FAULTS, *faulty_indexes.REFUSING_FAULTS)
    assert failed.keys() == {one.__name__ for one in (*faultless, *faults)}
    assert [failed.pop(one.__name__) for one in faultless] == [[], []]
    assert [name for name, tests in failed.items() if not tests] == []
