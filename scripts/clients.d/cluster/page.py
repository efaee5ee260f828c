"""The tables of docs/commands.md "From a program, in a cluster", and the calls they promise."""

import re
from dataclasses import dataclass, replace

HEADING = "## From a program, in a cluster"


@dataclass(frozen=True)
class Row:
    """A line of a table: how the client is made, and how it calls a command."""

    client: str
    version: str  # or empty
    made: tuple[str, ...]  # the client, and what is then done with it
    line: str
    command: str

    def of_keys(self, command):
        """The same line with a command that has two keys: `key` and `other`."""
        limit, quote = re.search(r'((")?100"?, "10/s")', self.line).groups(default="")
        cost = f"{quote}1{quote}"
        other = "$other" if "$key" in self.line else "other"
        keys = f", {other}"
        if command != "RL.RESET":
            keys = f", {limit}, {cost}, {other}, {limit}, {cost}"
        line = self.line.replace(f", {limit}", keys).replace(self.command, command)
        made = tuple(text.replace(self.command, command) for text in self.made)
        return replace(self, made=made, line=line, command=command)


def row(cells):
    """The row with these cells: the client, what makes it, and the line, all code but the first."""
    client, version = re.fullmatch(r"(.+?)(?: (\d[\d.]+))?", cells[0]).groups(default="")
    made, line = (re.findall(r"`([^`]+)`", cell) for cell in cells[1:3])
    return Row(client, version, tuple(made), line[0], re.search(r"RL\.\w+", line[0])[0])


def tables(page):
    """The three tables: the right node at once, from replicas, and what happens otherwise."""
    section = page.split(HEADING + "\n")[1].split("\n## ")[0]
    parts = re.findall(r"(?:^\|.*\n)+", section, re.M)
    lines = [part.splitlines()[2:] for part in parts]
    found = [[row(line.strip("| ").split(" | ")) for line in part] for part in lines]
    assert len(found) == 3 and all(found), [len(table) for table in found]
    return found
