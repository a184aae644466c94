// SPDX-License-Identifier: Apache-2.0
// Drives ioredis against the RESP port given as the only argument; exit 0 when all of it works.
import assert from "node:assert/strict";
import { once } from "node:events";
import Redis from "ioredis";

const port = Number(process.argv[2]);
const client = new Redis(port, "127.0.0.1", { connectTimeout: 10_000, retryStrategy: null });

assert.equal(await client.ping(), "PONG");
assert.equal(await client.set("io:a", "1", "EX", 100), "OK");
assert.equal(await client.set("io:a", "2", "NX"), null);
assert.equal(await client.get("io:a"), "1");
assert.ok((await client.ttl("io:a")) > 90);
assert.equal(await client.incrby("io:a", 41), 42);
await client.mset({ "io:b": "你好", "io:c": "c" });
assert.deepEqual(await client.mget("io:b", "io:missing", "io:c"), ["你好", null, "c"]);
assert.deepEqual(await client.getBuffer("io:b"), Buffer.from("你好"));

const replies = await client.pipeline().get("io:c").del("io:c").get("io:c").exec();
assert.deepEqual(replies, [[null, "c"], [null, 1], [null, null]]);
await assert.rejects(client.call("NOSUCH"), /unknown command/);
await assert.rejects(client.incr("io:b"), /not an integer/);

const scanned = [];
for await (const keys of client.scanStream({ match: "io:*", count: 1 })) scanned.push(...keys);
assert.deepEqual([...new Set(scanned)].sort(), ["io:a", "io:b"]);

const subscriber = client.duplicate();
await subscriber.subscribe("io-news");
const message = once(subscriber, "message");
assert.equal(await client.publish("io-news", "hello"), 1);
assert.deepEqual(await message, ["io-news", "hello"]);

const status = await client.call("ORDER.PUT", "io:order", "pending", '{"amount":1}');
assert.ok(status !== null);
assert.ok((await client.call("ORDER.GET", "io:order")) !== null);

await subscriber.quit();
assert.equal(await client.quit(), "OK");
