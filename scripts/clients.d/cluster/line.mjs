// Calls a line of docs/commands.md with a Node client: see line.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Cluster, Command } from "ioredis";
import { createCluster } from "redis";
import { GlideClusterClient } from "@valkey/valkey-glide";

const job = JSON.parse(readFileSync(0, "utf8"));
const names = { Cluster, Command, createCluster, GlideClusterClient };
const scope = { ...names, host: "127.0.0.1", port: job.port };
/** The function of further names that an expression of the page is. */
const compiled = (expression, ...more) =>
  new Function(...Object.keys(scope), ...more, `return ${expression};`).bind(
    null,
    ...Object.values(scope),
  );

const [made, ...rest] = job.made;
const client = await compiled(made)();
if (client instanceof Cluster) await new Promise((ready) => client.once("ready", ready));
else await client.connect?.();
for (const expression of rest) await compiled(expression, "client")(client);
const line = compiled(job.line, "client", "key", "other");

const replies = [];
const errors = [];
async function call([key, other]) {
  try {
    replies.push(await line(client, key, other));
  } catch (error) {
    errors.push(String(error));
  }
}
const start = performance.now();
for (let first = 0; first < job.keys.length; first += job.at_once)
  await Promise.all(job.keys.slice(first, first + job.at_once).map(call));
const ms = (performance.now() - start) / job.keys.length;
const { version } = createRequire(import.meta.url)(`./../node_modules/${job.package}/package.json`);
process.stdout.write(JSON.stringify({ version, replies, errors, ms }), () => process.exit());
