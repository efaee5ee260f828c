"""Writes the programs of docs/clients.md, one for each language, as `example` files.

examples.py PAGE FOLDER
"""

import re
import sys
from pathlib import Path

FILES = {
    "sh": "example.sh",
    "python": "example.py",
    "js": "example.mjs",
    "rust": "rust/src/example.rs",
    "java": "Limiter.java",
    "go": "go/example.go",
}
page, folder = map(Path, sys.argv[1:])
programs = {}
for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.M | re.S):
    programs.setdefault(language, text)
assert programs.keys() == FILES.keys(), programs.keys()
for language, file in FILES.items():
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(programs[language])
