// The client of @hey-api/openapi-ts.
import { call } from "./calls";
import { check, checkBatch } from "./generated/hey";
import { client } from "./generated/hey/client.gen";

client.setConfig({ baseUrl: process.argv[2] });

call("@hey-api/openapi-ts", {
  check: (body) => check({ body }),
  batch: (checks) => checkBatch({ body: { checks } }),
});
