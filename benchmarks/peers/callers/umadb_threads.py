"""Threads of one program that append through UmaDB's Python client, one event after another, for some seconds.

Its one argument is a job in JSON. What it appended, it prints.
"""

import json
import random
import sys
import threading
import time

import umadb


def main() -> None:
    job = json.loads(sys.argv[1])
    client = umadb.Client(job["url"])
    data = json.dumps(job["data"], separators=(",", ":")).encode()
    times_ms: list[float] = []
    errors: list[str] = []
    end = time.perf_counter() + job["duration_s"]

    def append_until_end(rng: random.Random) -> None:
        try:
            while (started := time.perf_counter()) < end:
                event = umadb.Event(job["event_type"], data, [f"order-{rng.randrange(job['aggregates'])}"])
                client.append([event])
                times_ms.append((time.perf_counter() - started) * 1_000)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            errors.append(str(error))

    threads = [threading.Thread(target=append_until_end, args=[random.Random(n)]) for n in range(job["threads"])]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    duration_s = time.perf_counter() - started
    print(json.dumps({"times_ms": sorted(times_ms), "duration_s": duration_s, "errors": errors}))


main()
