// Appends, reads and consumes with a client made of /openapi.json: node orders.js URL
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

type NewEvent = components["schemas"]["NewEvent"];

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });
const EVENTS = "/v1/aggregates/{aggregate_type}/{aggregate_id}/events";
const path = { aggregate_type: "order", aggregate_id: "o/1 ü" };

function given<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

async function append(): Promise<void> {
  const placed: NewEvent = {
    event_id: "01890a5d-ac96-774b-bcce-b302099a8057",
    event_type: "OrderPlaced",
    event_data: { total: 42.5 },
    metadata: { by: "ada" },
    tags: ["customer:ada"],
  };
  const paid: NewEvent = { event_type: "OrderPaid", event_data: null };
  const first = await client.POST(EVENTS, { params: { path }, body: { expected_version: "none", events: [placed] } });
  console.log("appended version", given(first).version, given(first).replayed);
  const again = await client.POST(EVENTS, { params: { path }, body: { events: [placed] } });
  console.log("replayed", given(again).replayed);
  const stale = await client.POST(EVENTS, { params: { path }, body: { expected_version: 7, events: [paid] } });
  const problem = stale.error;
  if (problem?.code === "version_conflict") console.log("refused at version", problem.actual_version);
  const guarded = await client.POST(EVENTS, { params: { path, header: { "If-Match": '"1"' } }, body: { events: [paid] } });
  console.log("appended version", given(guarded).version);
  const shipped = { aggregate_type: "parcel", aggregate_id: "1", events: [{ event_type: "ParcelSent", event_data: [1] }] };
  const condition = { fail_if: [{ event_types: ["ParcelSent"] }] };
  const atomic = await client.POST("/v1/append", { body: { appends: [shipped], condition } });
  console.log("position", given(atomic).position);
  const twice = await client.POST("/v1/append", { body: { appends: [shipped], condition } });
  if (twice.error?.code === "condition_failed") console.log("condition failed at", twice.error.position);
  const batch = await client.POST("/v1/batch", { body: { appends: [{ ...shipped, expected_version: "none" }] } });
  for (const { status, body } of given(batch).results) console.log("outcome", status, "code" in body ? body.code : body.version);
}

async function read(): Promise<void> {
  const page = given(await client.GET(EVENTS, { params: { path, query: { limit: 1 } } }));
  console.log("page", ...page.events.map((event) => event.event_type), page.next_version);
  const query = { tag: ["customer:ada"], event_type: ["OrderPlaced", "OrderPaid"] };
  const feed = given(await client.GET("/v1/events", { params: { query } }));
  for (const event of feed.events) console.log("read", event.event_type, JSON.stringify(event.event_data), event.metadata["by"]);
  const rest = given(await client.GET("/v1/events", { params: { query: { after: feed.cursor } } }));
  console.log("after the cursor", rest.events.length, rest.at_end);
  const missing = await client.GET(EVENTS, { params: { path: { ...path, aggregate_id: "none" } } });
  console.log(missing.response.status, missing.error?.code);
}

async function consume(): Promise<void> {
  const group = { group: "billing" };
  const items = [{ event_types: ["OrderPlaced", "OrderPaid"] }];
  const made = given(await client.PUT("/v1/groups/{group}", { params: { path: group }, body: { items } }));
  console.log("group", made.group, made.max_attempts);
  for (;;) {
    const { deliveries } = given(await client.POST("/v1/groups/{group}/pull", { params: { path: group }, body: {} }));
    if (deliveries.length === 0) break;
    for (const { event, attempt } of deliveries) console.log("delivered", event.event_type, attempt);
    const delivery_ids = deliveries.map((delivery) => delivery.delivery_id);
    const { settled } = given(await client.POST("/v1/groups/{group}/ack", { params: { path: group }, body: { delivery_ids } }));
    console.log("acknowledged", settled);
  }
}

await append();
await read();
await consume();
