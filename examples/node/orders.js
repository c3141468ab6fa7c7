// Appends, reads, subscribes and consumes over gRPC:  node orders.js HOST:PORT PROTO_FOLDER
//
// PROTO_FOLDER is src/indelible/wire/proto of this project, or a copy of it.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const [address, protoFolder] = process.argv.slice(2);

const definition = protoLoader.loadSync(["indelible/v1/event_store.proto", "indelible/v1/groups.proto"], {
  includeDirs: [protoFolder],
  keepCase: true, // event_id, not eventId
  longs: Number, // versions and positions stay below 2^53
  enums: String,
  defaults: true,
  oneofs: true,
});
const { indelible } = grpc.loadPackageDefinition(definition);
const connection = [address, grpc.credentials.createInsecure(), { "grpc.keepalive_time_ms": 10_000 }];
const store = new indelible.v1.EventStore(...connection);
const groups = new indelible.v1.ConsumerGroups(...connection);
const append = promisify(store.append.bind(store));
const createGroup = promisify(groups.createGroup.bind(groups));

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

// Share the work on events with others: each goes to one member of the group, and the next of its order once it is
// acknowledged. The group is there for good, so a service makes it whenever it starts, and goes on where it was.
const group = `billing-${order.aggregate_id}`;
await createGroup({ group, items: [{ tags: [order.aggregate_id] }] });
const member = groups.consume();
member.write({ start: { group, member: "node", max_in_flight: 10 } });
let acknowledged = 0;
for await (const message of member) {
  for (const { delivery_id, event } of message.deliveries) {
    console.log(`delivered ${event.event_type}`);
    member.write({ ack: { delivery_ids: [delivery_id] } }); // or nack, with a reason
  }
  for (const { settled } of message.settled) {
    acknowledged += settled;
  }
  if (acknowledged === 3) {
    member.end(); // a real member goes on; what it holds when it ends goes to others
  }
}
console.log(`acknowledged ${acknowledged}`);
groups.close();
store.close();
