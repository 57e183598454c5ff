"""A newer version of the gateway, made of this one: another number, and one more step in the schema of each store."""

import json
import shutil
import sys
from pathlib import Path

from tests.gateway.support import ROOT

VERSION = "99.0.0"
STORES = ("journal", "quarantine", "wanted", "updates", "rotation", "forward")  # each with a folder `schema`
PROGRAM = "from gateway.cli import app; app()"
BENCH = "from hil.gateway_process import main; main()"


def make(folder: Path) -> Path:
    """Put it into the folder."""
    for room in ("gateway", "protocol"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "protocol/host/build.json").write_text(json.dumps({"version": VERSION, "commit": "next"}))
    for store in STORES:
        schema = folder / "gateway" / store / "schema"
        number = len(list(schema.glob("*.sql"))) + 1
        step = "CREATE TABLE newer (id INTEGER PRIMARY KEY) STRICT;\nINSERT INTO newer VALUES (1);\n"
        (schema / f"{number:04}.sql").write_text(step)
    return folder


def command(folder: Path | None, program: str, *words: str) -> list[str]:
    """What runs it; folder None: this version."""
    first = "" if folder is None else f"import sys; sys.path.insert(0, {str(folder)!r}); "
    return [sys.executable, "-c", first + program, *words]
