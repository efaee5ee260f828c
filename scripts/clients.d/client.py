"""The client of openapi-python-client, called once with each outcome."""

import sys

from rl_client import Client
from rl_client.api.deciding import check, check_batch
from rl_client.models import Batch, Check, Decision, Problem

NAME = "openapi-python-client"
client = Client(base_url=sys.argv[1])


def send(**fields):
    return check.sync_detailed(client=client, body=Check(**fields))


allowed, denied = (send(key=NAME, capacity=1, rate="1/d") for _ in range(2))
assert isinstance(allowed.parsed, Decision), allowed
assert (allowed.status_code, allowed.parsed.allowed, allowed.parsed.remaining) == (200, True, 0)
assert isinstance(denied.parsed, Decision), denied
assert denied.parsed.allowed is False and denied.parsed.retry_after_ms > 80_000_000, denied

unknown, invalid = send(key=NAME, policy="other"), send(key="")
assert isinstance(unknown.parsed, Problem), unknown
assert (unknown.status_code, unknown.parsed.detail) == (404, "no policy has this name"), unknown
assert isinstance(invalid.parsed, Problem) and invalid.status_code == 422, invalid

# Fields that are set to None are sent as null, which is absent.
null = send(key=NAME, policy=None, cost=None, capacity=None, rate=None)
assert isinstance(null.parsed, Decision) and null.parsed.allowed, null

batch = check_batch.sync(
    client=client, body=Batch(checks=[Check(key=NAME), Check(key=NAME, policy="other")])
)
decision, problem = batch.results
assert isinstance(decision, Decision) and decision.allowed, decision
assert isinstance(problem, Problem) and problem.status == 404, problem
print(f"clients: {NAME}: ok")
