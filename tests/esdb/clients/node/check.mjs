// What the clients for Node.js do, checked: check.mjs PACKAGE HOST:PORT, where PACKAGE is @kurrent/kurrentdb-client or
// @eventstore/db-client. See run.py for what it prints.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const [packageName, address] = process.argv.slice(2);
const db = await import(packageName);
const { ANY, BACKWARDS, NO_STREAM, PARK, START, STREAM_EXISTS } = db;
const RETRY_MS = 100;
const EVENTS = 20;
const RESTART_AT = 7;
const SCHEME = packageName.startsWith("@kurrent") ? "kurrentdb" : "esdb";

const connect = (scheme) =>
  (db.KurrentDBClient ?? db.EventStoreDBClient).connectionString(`${scheme}://${address}?tls=false`);
const client = connect(SCHEME);

const event = (number = 0) => db.jsonEvent({ type: "Placed", data: { number }, metadata: { by: "node" } });
const events = (count) => Array.from({ length: count }, (_, number) => event(number));
const name = () => `order-${randomUUID()}`;

// The two packages name the expected revision differently.
const append = (stream, expected, appended, by = client) =>
  by.appendToStream(stream, appended, { streamState: expected, expectedRevision: expected });

async function collected(found) {
  const all = [];
  for await (const { event } of found) all.push([event.streamId, Number(event.revision), event.data.number]);
  return all;
}
const readStream = (stream, options) => collected(client.readStream(stream, options));
const numbered = (stream, ...numbers) => numbers.map((number) => [stream, number, number]);
const isWrongRevision = (error) => error instanceof db.WrongExpectedVersionError;
const isNoStream = (error) => error instanceof db.StreamNotFoundError;

async function discovery() {
  const discovering = connect(`${SCHEME}+discover`);
  await append(name(), NO_STREAM, event(), discovering);
  await discovering.dispose();
}

async function expectedRevisions() {
  const stream = name();
  assert.equal((await append(stream, NO_STREAM, events(2))).nextExpectedRevision, 1n);
  for (const expected of [1n, STREAM_EXISTS, ANY]) await append(stream, expected, event());
  for (const expected of [NO_STREAM, 3n, 5n]) await assert.rejects(append(stream, expected, event()), isWrongRevision);
  for (const expected of [STREAM_EXISTS, 0n]) await assert.rejects(append(name(), expected, event()), isWrongRevision);
}

async function theSameAppendAgain() {
  const [stream, appended] = [name(), events(2)];
  const first = await append(stream, NO_STREAM, appended);
  await append(stream, 1n, event());
  assert.deepEqual(await append(stream, NO_STREAM, appended), first);
  assert.equal((await readStream(stream)).length, 3);
}

async function readingAStream() {
  const stream = name();
  await append(stream, NO_STREAM, events(5));
  assert.deepEqual(await readStream(stream), numbered(stream, 0, 1, 2, 3, 4));
  assert.deepEqual(await readStream(stream, { direction: BACKWARDS, fromRevision: db.END }), numbered(stream, 4, 3, 2, 1, 0));
  assert.deepEqual(await readStream(stream, { fromRevision: 1n, maxCount: 2 }), numbered(stream, 1, 2));
  assert.deepEqual(await readStream(stream, { direction: BACKWARDS, fromRevision: 3n, maxCount: 2 }), numbered(stream, 3, 2));
  for await (const { event } of client.readStream(stream, { maxCount: 1 })) {
    assert.deepEqual([event.type, event.isJson, event.metadata], ["Placed", true, { by: "node" }]);
    assert.ok(Math.abs(Date.now() - event.created) < 60_000);
  }
  await assert.rejects(readStream(name()), isNoStream);
}

async function readingAll() {
  const stream = name();
  await append(stream, NO_STREAM, events(3));
  const ours = [];
  for await (const { event } of client.readAll()) if (event.streamId === stream) ours.push(event);
  assert.deepEqual(ours.map(({ data }) => data.number), [0, 1, 2]);
  assert.deepEqual(await collected(client.readAll({ direction: BACKWARDS, fromPosition: db.END, maxCount: 2 })), numbered(stream, 2, 1));
  assert.deepEqual(await collected(client.readAll({ fromPosition: ours[1].position })), numbered(stream, 1, 2));
}

async function streamMetadata() {
  const stream = name();
  await append(stream, NO_STREAM, events(3));
  assert.equal((await client.getStreamMetadata(stream)).metadata, undefined);
  await client.setStreamMetadata(stream, { maxCount: 2, kept: "for the audit" }, { expectedRevision: NO_STREAM });
  assert.deepEqual((await client.getStreamMetadata(stream)).metadata, { maxCount: 2, kept: "for the audit" });
  assert.deepEqual(await readStream(stream), numbered(stream, 1, 2));
}

async function deletion() {
  const stream = name();
  await append(stream, NO_STREAM, events(2));
  await assert.rejects(client.deleteStream(stream, { expectedRevision: 5n }), isWrongRevision);
  await client.deleteStream(stream, { expectedRevision: 1n });
  await assert.rejects(readStream(stream), isNoStream);
  await append(stream, NO_STREAM, event(2));
  assert.deepEqual(await readStream(stream), numbered(stream, 2));
}

async function appendsToSeveralStreams() {
  const [one, other] = [name(), name()];
  const request = (streamName, expectedState) => ({ streamName, expectedState, events: [event()] });
  await client.multiStreamAppend([request(one, NO_STREAM), request(other, NO_STREAM)]);
  const halfWrong = client.multiStreamAppend([request(one, 0n), request(other, 7n)]);
  await assert.rejects(halfWrong, isWrongRevision);
  for (const stream of [one, other]) assert.deepEqual(await readStream(stream), numbered(stream, 0));
}

async function aSubscriptionThroughARestart() {
  const stream = name();
  const written = write(stream);
  const numbers = [];
  for await (const number of followed(stream)) {
    numbers.push(number);
    if (numbers.length === RESTART_AT) console.log("RESTART");
    if (numbers.length === EVENTS) break;
  }
  await once(process.stdin, "data");
  await written;
  assert.deepEqual(numbers, events(EVENTS).map(({ data }) => data.number));
}

// One by one, and again what may not have been stored.
async function write(stream) {
  for (const [number, appended] of events(EVENTS).entries()) {
    for (;;) {
      try {
        await append(stream, number ? BigInt(number - 1) : NO_STREAM, appended);
        break;
      } catch (error) {
        if (isWrongRevision(error)) throw error;
        await sleep(RETRY_MS);
      }
    }
  }
}

// By a subscription to all, which is made again from the last event when it breaks.
async function* followed(stream) {
  const filter = db.streamNameFilter({ prefixes: [stream] });
  let fromPosition = START;
  for (;;) {
    try {
      for await (const { event } of client.subscribeToAll({ fromPosition, filter })) {
        fromPosition = event.position;
        yield event.data.number;
      }
    } catch {
      await sleep(RETRY_MS);
    }
  }
}

async function aPersistentSubscription() {
  const [stream, group] = [name(), "billing"];
  await append(stream, NO_STREAM, events(3));
  const settings = db.persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START });
  await client.createPersistentSubscriptionToStream(stream, group, settings);
  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, group);
  const numbers = [];
  for await (const resolved of subscription) {
    numbers.push(resolved.event.data.number);
    if (numbers.length === 2) {
      await subscription.nack(PARK, "of no use", resolved); // which holds up its stream
      await replayParked(stream, group);
    } else await subscription.ack(resolved);
    if (numbers.length === 4) break;
  }
  await subscription.unsubscribe();
  assert.deepEqual(numbers, [0, 1, 1, 2]);
  await client.deletePersistentSubscriptionToStream(stream, group);
  const gone = client.getPersistentSubscriptionToStreamInfo(stream, group);
  await assert.rejects(gone, (error) => error instanceof db.PersistentSubscriptionDoesNotExistError);
}

async function replayParked(stream, group) {
  while (!(await client.getPersistentSubscriptionToStreamInfo(stream, group)).stats.parkedMessageCount) await sleep(RETRY_MS);
  await client.replayParkedMessagesToStream(stream, group);
}

const CHECKS = {
  "discovery": discovery,
  "expected revisions": expectedRevisions,
  "the same append again": theSameAppendAgain,
  "reading a stream": readingAStream,
  "reading $all": readingAll,
  "stream metadata": streamMetadata,
  "deletion": deletion,
  ...(client.multiStreamAppend && { "appends to several streams": appendsToSeveralStreams }),
  "a subscription through a restart": aSubscriptionThroughARestart,
  "a persistent subscription": aPersistentSubscription,
};
for (const [says, check] of Object.entries(CHECKS)) {
  await check();
  console.log(says);
}
await client.dispose();
process.exit();
