"""Calls a line of docs/commands.md with a Python client, once for each pair of keys.

line.py: the job as JSON on standard input, and a report as JSON on standard output. The programs in
other languages beside this one do the same.
"""

import asyncio
import importlib.metadata
import inspect
import json
import os
import sys
import time
import warnings

warnings.simplefilter("error")  # such as an argument that is deprecated
job = json.load(sys.stdin)
names = {"host": "127.0.0.1", "port": job["port"]}
if job["client"] == "redis-py":
    import redis

    names |= vars(redis) | vars(redis.cluster) | {"redis": redis}
elif job["client"] == "coredis":
    import coredis

    names |= {"coredis": coredis, "Key": coredis.typing.Key}
else:
    import glide

    names |= vars(glide)


async def value(expression):
    result = eval(expression, names)
    return await result if inspect.isawaitable(result) else result


async def main():
    names["client"] = client = await value(job["made"][0])
    if job["client"] == "coredis":
        await client.__aenter__()
    for expression in job["made"][1:]:
        await value(expression)
    replies, errors = [], []
    start = time.perf_counter()
    for names["key"], names["other"] in job["keys"]:
        try:
            replies.append(await value(job["line"]))
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    ms = (time.perf_counter() - start) * 1000 / len(job["keys"])
    version = importlib.metadata.version(job["package"])
    report = {"version": version, "replies": replies, "errors": errors, "ms": ms}
    print(json.dumps(report), flush=True)
    os._exit(0)  # with connections that are kept


asyncio.run(main())
