"""Runs a program with a relay between it and the front, and counts the program's connections.

count.py MOST COMMAND...   fails if the command fails, or opens more than MOST connections
"""

import asyncio
import os
import sys
from urllib.parse import urlsplit

front = urlsplit(os.environ["RL_SERVER"])
connections = 0


async def copy(source, sink):
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.close()  # a program that ends resets its connections


async def relay(source, sink):
    global connections
    connections += 1
    source_2, sink_2 = await asyncio.open_connection(front.hostname, front.port)
    await asyncio.gather(copy(source, sink_2), copy(source_2, sink))
    sink.close()
    sink_2.close()


async def main(most, command):
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    environment = os.environ | {"RL_SERVER": f"http://127.0.0.1:{port}"}
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    status = await process.wait()
    if status or connections > most:
        sys.exit(f"{' '.join(command)}: status {status}, {connections} connections of {most}")
    name = f"{os.path.basename(command[0])} {command[-1]}"
    print(f"clients: {name}: 2000 checks, {connections} connections", flush=True)
    os._exit(0)  # without the connections that the relay still has


asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
