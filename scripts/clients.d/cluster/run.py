"""Runs the lines of docs/commands.md "From a program, in a cluster" on a Redis Cluster.

run.py MODULE PAGE

Counts MOVED errors and calls on the servers. Lines that reach the right node at once cost no MOVED
error, those that read from replicas reach them, and what happens otherwise is what the page says.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from page import tables
from redis.crc import key_slot
from servers import Cluster

HERE = Path(__file__).parent
CALLS = 300
PROGRAMS = {
    "python": [sys.executable, HERE / "line.py"],
    "node": ["node", HERE / "line.mjs"],
    "php": ["php", HERE / "line.php"],
    "rust": [HERE / "../rust/target/debug/line"],
}
# The program and the package of each client.
CLIENTS = {
    "redis-py": ("python", "redis"),
    "ioredis": ("node", "ioredis"),
    "node-redis": ("node", "redis"),
    "redis-rs": ("rust", "redis"),
    "valkey-glide, Python": ("python", "valkey-glide"),
    "valkey-glide, Node": ("node", "@valkey/valkey-glide"),
    "phpredis": ("php", "redis"),
    "Predis": ("php", "predis"),
    "coredis": ("python", "coredis"),
}
SHAPES = {
    "RL.CHECK": lambda reply: reply == [1, 100, 99, 0, 100],
    "RL.PEEK": lambda reply: reply == [1, 100, 100, 0, 0],
    "RL.MCHECK": lambda reply: reply == [1, 100, 99, 0, 100] * 2,
    "RL.CHECKALL": lambda reply: reply == [1, -1] + [1, 100, 99, 0, 100] * 2,
    "RL.RESET": lambda reply: reply == 0,
}


@dataclass
class Bounds:
    """Bounds of what a line does in each call, or of its calls all together."""

    moved: tuple = (0, 0)  # MOVED errors on the servers
    failed: tuple = (0, 0)  # calls that the program sees fail
    says: str = ""  # the beginning of each failure
    replicas: tuple = (0, 0)  # the part of the calls that replicas answer
    connections: float = 0  # new ones a call, at least


ONCE = Bounds()
CROSSED = Bounds(failed=(1, 1))  # keys of two slots
REPLICAS = Bounds(replicas=(1, 1))
# node-redis shares its reads between the primary and its replicas.
SHARED = Bounds(replicas=(0.35, 0.65))
TOO_MANY = "Error: Too many Cluster redirections"
# The rows of the page's third table, in its order.
OTHERWISE = [
    ("redis-py", Bounds()),
    ("redis-py", Bounds(moved=(1, 1))),
    ("ioredis", Bounds(moved=(0.5, 0.8), connections=0.1)),
    ("ioredis", Bounds(moved=(0.4, 0.9), failed=(0.4, 0.9), says="ReplyError: MOVED ")),
    ("node-redis", Bounds((1, 4), failed=(0, 0.1), says=TOO_MANY, connections=1)),
    ("node-redis", Bounds((0.5, 4), failed=(0, 0.1), says=TOO_MANY, connections=0.5)),
    ("redis-rs", Bounds()),
    ("valkey-glide, Python", Bounds()),
    ("valkey-glide, Python", Bounds(moved=(1, 1))),
    ("phpredis", Bounds(failed=(1, 1), says="false, and no exception: ERR unknown command")),
    ("phpredis", Bounds()),
    ("phpredis", Bounds(moved=(1, 1), failed=(1, 1), says="RedisClusterException: Unable to send")),
    ("Predis", Bounds(failed=(1, 1), says="Predis\\NotSupportedException: Cannot use")),
    ("Predis", Bounds(moved=(1 / CALLS, 1 / CALLS))),
    ("coredis", Bounds(failed=(1, 1), says="RedisClusterError: Could not map RL.CHECK request")),
    ("coredis", Bounds()),
]


def planned(page):
    """Every row to run, with its bounds, its calls and whether their keys share a slot."""
    once, from_replicas, otherwise = tables(page)
    assert {row.client for row in once} == CLIENTS.keys()
    for row in once:
        yield row, ONCE, CALLS, True
        for command in ["RL.MCHECK", "RL.CHECKALL", "RL.RESET"]:
            yield row.of_keys(command), ONCE, CALLS // 10, True
        yield row.of_keys("RL.MCHECK"), CROSSED, CALLS // 10, False
    for row in from_replicas:
        yield row, SHARED if row.client == "node-redis" else REPLICAS, CALLS, True
    assert [row.client for row in otherwise] == [client for client, _ in OTHERWISE]
    for row, (_, bounds) in zip(otherwise, OTHERWISE):
        yield row, bounds, CALLS, True


def build(rows):
    """Compiles the lines of redis-rs, and returns the number of each."""
    rows = [row for row in rows if row.client == "redis-rs"]
    text = "".join(
        f"Row {{ make: |url| Ok({row.made[0]}), line: |mut client, key, other| {row.line} }},\n"
        for row in rows
    )
    (HERE / "rust/src/rows.rs").write_text(f"[\n{text}]\n")
    environment = os.environ | {"CARGO_TARGET_DIR": str(HERE / "../rust/target")}
    command = ["cargo", "build", "--quiet", "--manifest-path", HERE / "rust/Cargo.toml"]
    subprocess.run(command, env=environment, check=True)
    return {row: number for number, row in enumerate(rows)}


def key_pairs(number, calls, one_slot):
    """New keys, each with another of the same slot or of a different one."""
    for call in range(calls):
        key = f"{{{number}:{call}}}"
        others = [f"{key}:{n}" if one_slot else f"{number}:{call}:{n}" for n in range(2)]
        # Of two neighbours at most one has the slot of the key.
        yield [key, next(other for other in others if (slot(key) == slot(other)) == one_slot)]


def slot(key):
    return key_slot(key.encode())


def within(bounds, value):
    return bounds[0] <= value <= bounds[1]


def run(cluster, row, bounds, keys, number):
    """Runs a row, prints what was counted, and returns what is outside of the bounds."""
    language, package = CLIENTS[row.client]
    job = {
        "client": row.client,
        "package": package,
        "port": cluster.port,
        "made": row.made,
        "line": row.line,
        "row": number,
        "keys": keys,
        "at_once": 10 if "enableAutoPipelining" in row.made[0] else 1,
    }
    cluster.reset_counts()
    command = ["timeout", "60", *PROGRAMS[language]]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True)
    if done.returncode:
        return [f"ended with {done.returncode}: {done.stderr[-500:]}"]
    report = json.loads(done.stdout.splitlines()[-1])  # valkey-glide logs to standard output
    primaries, replicas, moved, connections = cluster.counts(row.command)
    calls, failed = len(keys), len(report["errors"])
    faults = []
    if len(report["replies"]) + failed != calls or primaries + replicas > calls:
        faults.append(f"{len(report['replies'])} replies, {primaries + replicas} calls")
    if not all(SHAPES[row.command](reply) for reply in report["replies"]):
        faults.append(f"other replies: {report['replies'][:3]}")
    if not all(text.startswith(bounds.says) for text in report["errors"]):
        faults.append("other errors")
    if not within(bounds.moved, moved / calls):
        faults.append(f"{moved} MOVED are outside {bounds.moved} a call")
    if not within(bounds.failed, failed / calls):
        faults.append(f"{failed} failed are outside {bounds.failed} a call")
    if connections < bounds.connections * calls:
        faults.append(f"{connections} connections are below {bounds.connections} a call")
    part = replicas / max(1, primaries + replicas)
    if not within(bounds.replicas, part):
        faults.append(f"{replicas} on replicas are outside {bounds.replicas} of all")
    if row.version and report["version"] != row.version:
        text = f"the page says {row.version}, and here is {report['version']}"
        if language == "php":  # as Debian has it
            print(f"clients: {row.client}: {text}")
        else:
            faults.append(text)
    first = f", such as {report['errors'][0][:100]}" if failed else ""
    print(
        f"clients: {row.client} {report['version']}: {row.line}: {calls} calls, {primaries} on"
        f" primaries, {replicas} on replicas, {moved} MOVED, {connections} connections,"
        f" {report['ms']:.2f} ms each, {failed} failed{first}",
        flush=True,
    )
    return faults


def main(module, page):
    plan = list(planned(Path(page).read_text()))
    numbers = build([row for row, *_ in plan])
    faults = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the servers
    with Cluster(module) as cluster:
        for place, (row, bounds, calls, one_slot) in enumerate(plan):
            keys = list(key_pairs(place, calls, one_slot))
            for fault in run(cluster, row, bounds, keys, numbers.get(row)):
                faults.append(f"{row.client}: {row.line}: {fault}")
    if faults:
        sys.exit("\n".join(faults))
    print(f"clients: {len(plan)} lines do in a cluster what docs/commands.md says")


main(*sys.argv[1:])
