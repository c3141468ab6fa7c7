"""What some examples need that no other example can have done: delivery ids and epochs are new each time."""

from rest.calls import Api

GROUP_NAME = "billing"
RELAY = "/v1/relays/orders-to-nats"


def park_events(api: Api) -> None:
    """The first event of each aggregate."""
    path = f"/v1/groups/{GROUP_NAME}"
    api.post(f"{path}/reset", {"start": "beginning"})
    deliveries = api.post(f"{path}/pull", {}).json["deliveries"]
    parked = api.post(f"{path}/nack", {"delivery_ids": [one["delivery_id"] for one in deliveries], "park": True})
    assert parked.json == {"settled": len(deliveries), "lost": []}


def publish_events(api: Api) -> None:
    """The first three, by a relay."""
    lease = api.post(f"{RELAY}/claim", {"owner": "relay-1 4711"}).json
    api.post(f"{RELAY}/advance", {"epoch": lease["epoch"], "cursor": "3", "published": 3})
