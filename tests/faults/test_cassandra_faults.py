"""Nodes break for some seconds; ``faults.cassandra_faults`` runs the same for as long as you like."""

from pathlib import Path

from cassandra_sharing import SharedCassandra
from faults.cassandra_faults import Troubles
from faults.history.report import shown
from faults.many_servers import Settings, run


async def test_nodes_that_break(cassandra: SharedCassandra, tmp_path: Path) -> None:
    settings = Settings(cassandra.new_url(), servers=2, writers=8, seconds=12.0, seed=4, acknowledged=6)
    with cassandra.breaking() as nodes:
        troubles = Troubles(nodes, can_cut=False, kinds=("stop a node", "kill a node"), broken_s=3.0)
        figures, violations = await run(settings, tmp_path, troubles)
    print(figures, troubles.done)
    assert list(shown(violations)) == []
    assert figures.acknowledged > 5
    assert len(troubles.done) == 2
