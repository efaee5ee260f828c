// The types of openapi-typescript, with openapi-fetch.
import createClient from "openapi-fetch";
import { call } from "./calls";
import type { paths } from "./generated/schema";

const client = createClient<paths>({ baseUrl: process.argv[2] });

call("openapi-typescript", {
  check: (body) => client.POST("/check", { body }),
  batch: (checks) => client.POST("/check/batch", { body: { checks } }),
});
