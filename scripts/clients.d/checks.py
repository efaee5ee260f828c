"""Makes 2,000 checks, eight at a time, with an HTTP client as its users have it.

checks.py CLIENT          CLIENT is a name at the end
checks.py requests away   the front is away: the example fails open
"""

import asyncio
import http.client
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import httpx
import urllib3

import example

URL = os.environ["RL_SERVER"] + "/check"
COUNT, WORKERS = 2000, 8
name = sys.argv[1]
key = f"{name} {os.getpid()}"
body = {"key": key}


def with_threads(check):
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda _: check(), range(COUNT)))


async def with_tasks(check):
    async def work():
        return [await check() for _ in range(COUNT // WORKERS)]

    return sum(await asyncio.gather(*(work() for _ in range(WORKERS))), [])


def with_requests():
    return with_threads(lambda: example.check(key))


def with_urllib3():
    pool = urllib3.PoolManager(maxsize=WORKERS, retries=urllib3.Retry(3))
    return with_threads(lambda: pool.request("POST", URL, json=body).json())


def with_httpx():
    with httpx.Client() as client:
        return with_threads(lambda: client.post(URL, json=body).json())


async def with_httpx_async():
    async with httpx.AsyncClient() as client:

        async def check():
            return (await client.post(URL, json=body)).json()

        return await with_tasks(check)


async def with_aiohttp():
    async with aiohttp.ClientSession() as session:

        async def check():
            async with session.post(URL, json=body) as response:
                return await response.json()

        return await with_tasks(check)


def with_standard_library():
    """One connection, one check after another."""
    connection = http.client.HTTPConnection(URL.split("/")[2])

    def check():
        connection.request("POST", "/check", json.dumps(body))
        return json.load(connection.getresponse())

    return [check() for _ in range(COUNT)]


if sys.argv[2:] == ["away"]:
    assert example.wait_ms(key) == 0
    sys.exit()
decisions = {
    "requests": with_requests,
    "urllib3": with_urllib3,
    "httpx": with_httpx,
    "httpx-async": lambda: asyncio.run(with_httpx_async()),
    "aiohttp": lambda: asyncio.run(with_aiohttp()),
    "http.client": with_standard_library,
}[name]()
assert len(decisions) == COUNT and all(decision["limit"] == 100 for decision in decisions)
assert all(decision["allowed"] or decision["retry_after_ms"] > 0 for decision in decisions)
allowed = sum(decision["allowed"] for decision in decisions)
assert 100 <= allowed < 1000, allowed
