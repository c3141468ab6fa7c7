"""Consumer groups as a test asks for them: of the events that the test itself appends."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

from rest.calls import Answer, Api, event, new_path


class Group:
    """A group of the events with one tag, which nobody else uses."""

    def __init__(self, api: Api, name: str | None = None, **settings: Any) -> None:
        self.api = api
        self.name = name or uuid4().hex
        self.tag = uuid4().hex
        self.path = f"/v1/groups/{quote(self.name, safe='')}"
        self.body = {"items": [{"tags": [self.tag]}], **settings}
        answer = api.call("PUT", self.path, self.body)
        assert answer.status == 201, answer

    def append(self, count: int, path: str | None = None) -> None:
        """Events of one aggregate."""
        body = {"events": [event(tags=[self.tag]) for _ in range(count)]}
        assert self.api.post(f"{path or new_path()}/events", body).status == 201

    def get(self, what: str = "") -> Any:
        answer = self.api.get(f"{self.path}{what}")
        assert answer.status == 200, answer
        return answer.json

    def post(self, what: str, body: Any) -> Answer:
        return self.api.post(f"{self.path}/{what}", body)

    def pull(self, **asked: Any) -> list[dict[str, Any]]:
        answer = self.post("pull", asked)
        assert answer.status == 200, answer
        deliveries: list[dict[str, Any]] = answer.json["deliveries"]
        return deliveries

    def settle(self, how: str, deliveries: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        answer = self.post(how, {"delivery_ids": [one["delivery_id"] for one in deliveries], **more})
        assert answer.status == 200, answer
        settled: dict[str, Any] = answer.json
        return settled
