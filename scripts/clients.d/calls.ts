// The calls that each TypeScript client makes, and what it must be told.
import { strict as assert } from "node:assert";

export type Problem = { status: number; title: string; detail: string };
export type Decision = { allowed: boolean; remaining: number; retry_after_ms: number | null };
export type Fields = { key: string; policy?: string; capacity?: number; rate?: string };

/** A reply: the status, and the body of a success or of an error. */
export type Reply<T> = { response?: Response; data?: T; error?: Problem };

export interface Client {
  check(fields: Fields): Promise<Reply<Decision>>;
  batch(checks: Fields[]): Promise<Reply<{ results: (Decision | Problem)[] }>>;
}

/** Makes all calls through `client`, whose `name` makes its keys its own. */
export async function call(name: string, client: Client): Promise<void> {
  const limit = { key: name, capacity: 1, rate: "1/d" };
  const allowed = await client.check(limit);
  assert.equal(allowed.response?.status, 200);
  assert.deepEqual([allowed.data?.allowed, allowed.data?.remaining], [true, 0]);
  const denied = await client.check(limit);
  assert.equal(denied.data?.allowed, false);
  assert.ok(Number(denied.data?.retry_after_ms) > 80_000_000);

  const unknown = await client.check({ key: name, policy: "other" });
  assert.deepEqual([unknown.response?.status, unknown.error?.status], [404, 404]);
  assert.equal(unknown.error?.detail, "no policy has this name");
  const invalid = await client.check({ key: "" });
  assert.deepEqual([invalid.response?.status, invalid.error?.title], [422, "Unprocessable Entity"]);

  const batch = await client.batch([{ key: name }, { key: name, policy: "other" }]);
  const [decision, problem] = batch.data?.results ?? [];
  assert.ok(decision && "allowed" in decision && decision.allowed);
  assert.ok(problem && "detail" in problem && problem.status === 404);
  console.log(`clients: ${name}: ok`);
}
