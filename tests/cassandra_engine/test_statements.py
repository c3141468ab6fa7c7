"""What the statements may do: a log only grows, and everything else follows from it."""

import re
from pathlib import Path

import indelible.engines.cassandra as package

STATEMENTS = {
    path.stem: " ".join(line for line in path.read_text().splitlines() if not line.startswith("--"))
    for path in sorted((Path(package.__path__[0]) / "cql").glob("*.cql"))
}
IMMUTABLE = ("log", "lines", "heads", "buckets", "aggregates", "versions", "event_ids", "named_positions", "counts")
FOLLOWING = ("heads", "buckets", "aggregates", "versions", "event_ids", "named_positions", "counts")


def _writing(table: str) -> dict[str, str]:
    return {
        name: text
        for name, text in STATEMENTS.items()
        if f"{{keyspace}}.{table}" in text.replace("(", " ").split() and not text.startswith("SELECT")
    }


def test_nothing_is_taken_away_or_expires():
    for table in IMMUTABLE:
        for name, text in _writing(table).items():
            assert text.startswith("INSERT") or name == "append_head", name
            assert not {"DELETE", "TRUNCATE", "TTL", "DROP"} & set(text.split()), name


def test_the_log_is_written_by_conditional_batches_alone():
    assert set(_writing("log")) == {"append_head", "append_row"}
    assert "IF head = :expected_head AND is_sealed = null" in STATEMENTS["append_head"]
    assert not any("TIMESTAMP" in text for text in _writing("log").values())


def test_what_follows_from_the_log_is_written_as_of_its_position():
    for table in FOLLOWING:
        writing = _writing(table)
        assert writing, table
        assert all(text.endswith("USING TIMESTAMP :written_at") for text in writing.values()), table


def test_no_statement_writes_null_by_what_it_leaves_out():
    """Tables have no collections and no counters: what is written twice is written once."""
    for path in (Path(package.__path__[0]) / "cql" / "tables").glob("*.cql"):
        words = set(path.read_text().replace("<", " ").split())
        assert not {"counter", "list", "set", "map", "default_time_to_live"} & words, path.name


def test_what_reads_answer_with_can_be_held_against_what_was_asked():
    """A column with the name of a value, or one of several values, is that value: answers are checked by it."""
    for name, text in STATEMENTS.items():
        if text.startswith("SELECT"):
            columns = {column.strip() for column in text.partition(" FROM ")[0].split(",")}
            for column, operator, value in re.findall(r"(\S+) (\S+) :(\w+)", text):
                asked = {value, value.removesuffix("s")} & (columns | {"log"})
                assert not asked or (column in asked and operator in {"=", "IN"}), name


def test_reads_that_decide_say_whose_rows_they_are():
    for name in ("read_end", "read_head", "read_counts", "read_commit_id", "lines_of_range"):
        assert "log" in STATEMENTS[name].partition(" FROM ")[0].replace(",", "").split(), name
