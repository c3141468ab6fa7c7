"""The leader of a real cluster is killed under load; ``faults.patroni_faults`` runs the same by hand for longer."""

import asyncio
from pathlib import Path

from faults.patroni_faults import Run
from indelible.core.open import examine_store
from postgres.patroni_cluster import patroni_cluster


async def test_the_leader_is_killed(tmp_path: Path) -> None:
    with patroni_cluster() as cluster:
        run = Run(cluster, tmp_path, 1, ["kill"])
        figures = await run.run(1)
        await asyncio.to_thread(cluster.wait_until_whole)
        found = [one.message for one in await examine_store(run.store)]
    print(figures)
    assert figures.appends_acknowledged > 10
    assert figures.reads > 10
    assert figures.outage_max_s > 1, "nothing has happened"
    assert [message for message in found if message.startswith("a commit waits for its standbys: node")]
