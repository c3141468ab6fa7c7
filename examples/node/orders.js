// Appends, reads and subscribes over gRPC:  node orders.js HOST:PORT PROTO_FOLDER
//
// PROTO_FOLDER is src/indelible/wire/proto of this project, or a copy of it.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const [address, protoFolder] = process.argv.slice(2);

const definition = protoLoader.loadSync("indelible/v1/event_store.proto", {
  includeDirs: [protoFolder],
  keepCase: true, // event_id, not eventId
  longs: Number, // versions and positions stay below 2^53
  enums: String,
  defaults: true,
  oneofs: true,
});
const { indelible } = grpc.loadPackageDefinition(definition);
const store = new indelible.v1.EventStore(address, grpc.credentials.createInsecure(), {
  "grpc.keepalive_time_ms": 10_000,
});
const append = promisify(store.append.bind(store));

const order = { aggregate_type: "order", aggregate_id: `node-${randomUUID()}` };
const newEvent = (event_type, data) => ({
  event_id: randomUUID(), // with an id of its own an event may be sent again and is stored once
  event_type,
  event_data: Buffer.from(JSON.stringify(data)),
  tags: [order.aggregate_id],
});

// Append, expecting that the order does not exist.
const placed = newEvent("OrderPlaced", { total: 42.5 });
const first = await append({ ...order, events: [placed], expected_state: "EXPECTED_STATE_NONE" });
console.log(`appended version ${first.version}`);

// The same again stores nothing.
const again = await append({ ...order, events: [placed], expected_state: "EXPECTED_STATE_NONE" });
console.log(`replayed: ${again.replayed}`);

// An error has a code for programs.
try {
  await append({ ...order, events: [newEvent("OrderPaid", {})], expected_version: 7 });
} catch (error) {
  console.log(`refused: ${error.metadata.get("indelible-code")[0]}`);
}

// Batches of independent appends, at full speed.
const batches = store.appendBatches();
batches.write({
  appends: [
    { ...order, events: [newEvent("OrderPaid", { method: "card" })] },
    { ...order, events: [newEvent("OrderShipped", {})], expected_version: 7 },
  ],
});
const [answer] = await once(batches, "data");
console.log(`outcomes: ${answer.outcomes.map((outcome) => outcome.result?.version ?? outcome.error.code).join(", ")}`);
batches.end();

// Read the order.
for await (const page of store.readAggregate(order)) {
  for (const event of page.events) {
    console.log(`read ${event.version} ${event.event_type} ${event.event_data}`);
  }
}

// Follow its events: what is there, and then what comes.
const subscription = store.subscribe({ query: { items: [{ tags: [order.aggregate_id] }] } });
let sent = false;
for await (const message of subscription) {
  for (const event of message.events) {
    console.log(`received ${event.event_type}`);
  }
  if (message.caught_up && !sent) {
    sent = true;
    await append({ ...order, events: [newEvent("OrderShipped", {})] });
  }
  if (message.events.some((event) => event.event_type === "OrderShipped")) {
    break; // a real subscriber keeps message.cursor, and subscribes after it the next time
  }
}
store.close();
