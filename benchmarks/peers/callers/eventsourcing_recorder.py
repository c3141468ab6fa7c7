"""One caller that appends to the SQLite recorder of ``eventsourcing``, for some seconds.

Its one argument is a job in JSON. What it appended, it prints.
"""

import json
import random
import sys
import time
import uuid
from collections import Counter

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore


def main() -> None:
    job = json.loads(sys.argv[1])
    datastore = SQLiteDatastore(job["path"])
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    names = [uuid.UUID(int=number) for number in range(job["aggregates"])]
    versions: Counter[uuid.UUID] = Counter()
    rng = random.Random(1)

    def append_for(duration_s: float) -> list[float]:
        times_ms: list[float] = []
        end = time.perf_counter() + duration_s
        while (started := time.perf_counter()) < end:
            name = rng.choice(names)
            first = versions[name] + 1
            recorder.insert_events(
                [
                    StoredEvent(name, first + number, job["event_type"], json.dumps(job["data"]).encode())
                    for number in range(job["events"])
                ]
            )
            versions[name] += job["events"]
            times_ms.append((time.perf_counter() - started) * 1_000)
        return times_ms

    warm_up = len(append_for(job["warm_up_s"]))
    cpu_s, started = time.process_time(), time.perf_counter()
    times_ms = append_for(job["duration_s"])
    duration_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    with datastore.transaction(commit=False) as cursor:
        pragmas = {}
        for name in ("journal_mode", "synchronous"):
            cursor.execute(f"PRAGMA {name}")
            pragmas[name] = cursor.fetchone()[0]
    appended = (warm_up + len(times_ms)) * job["events"]
    print(json.dumps({
        "times_ms": sorted(times_ms), "duration_s": duration_s, "cpu_s": cpu_s, **pragmas,
        "appended": appended, "stored": recorder.max_notification_id(),
    }))  # fmt: skip


main()
