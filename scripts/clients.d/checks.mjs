// Makes 2,000 checks, eight at a time, with an HTTP client as its users have it.
//   node checks.mjs CLIENT        CLIENT is a name below; Deno and Bun run `fetch`
//   node checks.mjs fetch away    the front is away: the example fails open
import { strict as assert } from "node:assert";
import http from "node:http";

const url = `${process.env.RL_SERVER}/check`;

/** Posts with the module of Node, which `options` go to. */
const post = (options) => (key) =>
  new Promise((resolve, reject) => {
    const request = http.request(url, { method: "POST", ...options }, async (response) => {
      let text = "";
      for await (const part of response) text += part;
      resolve(JSON.parse(text));
    });
    request.on("error", reject);
    request.end(JSON.stringify({ key }));
  });

/** For each client, makes the function that checks a key. */
const clients = {
  fetch: async () => (await import("./example.mjs")).check,
  http: async () => post({}),
  agent: async () => post({ agent: new http.Agent({ keepAlive: true, maxSockets: 4 }) }),
  axios: async () => {
    const { default: axios } = await import("axios");
    return async (key) => (await axios.post(url, { key })).data;
  },
  "axios-expect": async () => {
    const { default: axios } = await import("axios");
    const headers = { Expect: "100-continue" };
    return async (key) => (await axios.post(url, { key }, { headers })).data;
  },
  got: async () => {
    const { default: got } = await import("got");
    return (key) => got.post(url, { json: { key } }).json();
  },
  undici: async () => {
    const { request } = await import("undici");
    return async (key) => {
      const { body } = await request(url, { method: "POST", body: JSON.stringify({ key }) });
      return body.json();
    };
  },
};

const [name, away] = process.argv.slice(2);
if (away) {
  assert.equal(await (await import("./example.mjs")).waitMs(name), 0);
  process.exit();
}
const check = await clients[name]();
const key = `${name} ${process.pid}`;
let left = 2000;
let allowed = 0;
await Promise.all(
  Array.from({ length: 8 }, async () => {
    while (left-- > 0) {
      const decision = await check(key);
      assert.equal(decision.limit, 100);
      if (decision.allowed) allowed++;
      else assert.ok(decision.retry_after_ms > 0);
    }
  }),
);
assert.ok(allowed >= 100 && allowed < 1000, `${allowed} allowed`);
process.exit(); // with connections that are kept
