"""What the example of skipping needs: delivery ids are new each time, so no example can have parked anything."""

from rest.calls import Api

GROUP_NAME = "billing"


def park_events(api: Api) -> None:
    """The first event of each aggregate."""
    path = f"/v1/groups/{GROUP_NAME}"
    api.post(f"{path}/reset", {"start": "beginning"})
    deliveries = api.post(f"{path}/pull", {}).json["deliveries"]
    parked = api.post(f"{path}/nack", {"delivery_ids": [one["delivery_id"] for one in deliveries], "park": True})
    assert parked.json == {"settled": len(deliveries), "lost": []}
