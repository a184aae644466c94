// SPDX-License-Identifier: Apache-2.0
// Drives node-redis, in RESP2 and RESP3, against the RESP port given as the only argument; exit 0
// when all of it works.
import assert from "node:assert/strict";
import { createClient } from "redis";

const port = Number(process.argv[2]);

async function connect(RESP) {
  const socket = { host: "127.0.0.1", port, connectTimeout: 10_000, reconnectStrategy: false };
  const client = createClient({ socket, RESP, name: `node-redis-${RESP}` });
  client.on("error", (error) => assert.fail(error));
  await client.connect();
  return client;
}

async function exercise(RESP) {
  const client = await connect(RESP);
  const key = (name) => `nr${RESP}:${name}`;
  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.clientGetName(), `node-redis-${RESP}`);
  assert.equal(await client.set(key("a"), "1", { EX: 100 }), "OK");
  assert.equal(await client.set(key("a"), "2", { NX: true }), null);
  assert.equal(await client.get(key("a")), "1");
  assert.equal(await client.expire(key("a"), 200), 1);
  assert.ok((await client.ttl(key("a"))) > 190);
  assert.equal(await client.incrByFloat(key("a"), 0.5), "1.5");
  assert.deepEqual(await client.mGet([key("a"), key("missing")]), ["1.5", null]);
  assert.equal(await client.getDel(key("a")), "1.5");
  assert.equal(await client.exists(key("a")), 0);

  await Promise.all([...Array(100).keys()].map((i) => client.set(key(`many:${i}`), `${i}`)));
  const scanned = new Set();
  for await (const keys of client.scanIterator({ MATCH: key("many:*"), COUNT: 7 })) {
    for (const found of [keys].flat()) scanned.add(found);
  }
  assert.equal(scanned.size, 100);
  await assert.rejects(client.sendCommand(["NOSUCH"]), /unknown command/);

  const subscriber = await connect(RESP);
  const message = new Promise((resolve) => {
    subscriber.subscribe(key("news"), resolve).then(() => client.publish(key("news"), "hello"));
  });
  assert.equal(await message, "hello");
  subscriber.destroy();
  await client.close();
}

await exercise(2);
await exercise(3);
