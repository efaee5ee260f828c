"""A Redis Cluster of three primaries and three replicas with the module, and its counts."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import redis

NODES = 6
# Of the user `default`: what docs/commands.md says that a client needs, GET for a line that reads a
# key first, and what the replicas need.
PERMISSIONS = "-@all +rl.check +rl.peek +rl.mcheck +rl.checkall +rl.reset"
PERMISSIONS += " +cluster|slots +cluster|info +info +command +ping +readonly +get +psync +replconf"


def free_ports():
    """A first port of several in a row that nobody listens at, nor at those of the cluster bus."""
    while True:
        first = random.randrange(20000, 30000)
        ports = [first + offset for node in range(NODES) for offset in (node, node + 10000)]
        listeners = []
        try:
            listeners = [socket.create_server(("127.0.0.1", port)) for port in ports]
            return range(first, first + NODES)
        except OSError:
            continue
        finally:
            for listener in listeners:
                listener.close()


class Cluster:
    """The servers, which end with the `with` block."""

    def __init__(self, module):
        self.module = module

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rl-cluster-"))
        self.ports = free_ports()
        self.servers = [self.start(port) for port in self.ports]
        self.nodes = [redis.Redis(port=port, protocol=2) for port in self.ports]
        try:
            self.wait(lambda node: node.ping())
            addresses = [f"127.0.0.1:{port}" for port in self.ports]
            create = ["redis-cli", "--cluster", "create", *addresses]
            create += ["--cluster-replicas", "1", "--cluster-yes"]
            done = subprocess.run(create, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stdout + done.stderr)
            self.wait(self.is_ready)
            for place, port in enumerate(self.ports):
                self.nodes[place].execute_command("ACL SETUSER admin on nopass ~* +@all")
                self.nodes[place].execute_command("ACL SETUSER default " + PERMISSIONS)
                self.nodes[place] = redis.Redis(
                    port=port, protocol=2, username="admin", password="any"
                )
        except BaseException:
            for log in self.folder.glob("*/log"):
                print(log.read_text())
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
            server.wait()
        shutil.rmtree(self.folder)

    @property
    def port(self):
        return self.ports[0]

    def start(self, port):
        folder = self.folder / str(port)
        folder.mkdir()
        settings = {
            "bind": "127.0.0.1",
            "port": port,
            "cluster-enabled": "yes",
            "appendonly": "no",
            "loadmodule": self.module,
        }
        arguments = [str(word) for name in settings for word in ("--" + name, settings[name])]
        server = os.environ.get("RL_REDIS_SERVER", "redis-server")
        with open(folder / "log", "w") as log:
            command = [server, *arguments, "--save", ""]
            return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def wait(self, holds):
        """Until it holds of every node, a minute at most."""
        end = time.monotonic() + 60
        for node in self.nodes:
            while True:
                try:
                    if holds(node):
                        break
                except redis.RedisError:
                    pass
                if time.monotonic() > end:
                    raise TimeoutError("the cluster is not ready")
                time.sleep(0.1)

    def is_ready(self, node):
        """Whether a node knows a primary and a replica of all slots, and no link is missing."""
        ranges = node.execute_command("CLUSTER SLOTS")
        slots = sum(last - first + 1 for first, last, *servers in ranges if len(servers) == 2)
        link = node.info("replication").get("master_link_status", "up")
        state = node.execute_command("CLUSTER INFO")["cluster_state"]
        return (slots, link, state) == (16384, "up", "ok")

    def reset_counts(self):
        for node in self.nodes:
            node.config_resetstat()

    def counts(self, command):
        """Calls of `command` on primaries and on replicas, MOVED errors, and new connections."""
        calls = {"master": 0, "slave": 0}
        moved = connections = 0
        for node in self.nodes:
            commands = node.info("commandstats")
            name = f"cmdstat_{command.lower()}"
            calls[node.info("replication")["role"]] += commands.get(name, {"calls": 0})["calls"]
            moved += node.info("errorstats").get("errorstat_MOVED", {"count": 0})["count"]
            connections += node.info("stats")["total_connections_received"]
        return calls["master"], calls["slave"], moved, connections
