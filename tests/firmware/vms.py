"""Programs on the board of both VMs."""

import os
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
VMS = ("vm64", "vm32")
OPENED = "import asyncio, os, boards\nboard = boards.open_board()\n"


def run(vm: str, image: Path, code: str, **straps: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(REPO / "build" / vm / "micropython"), "-c", OPENED + code],
        env={
            **os.environ,
            "MICROPYPATH": f"{REPO}:{REPO / 'firmware/device'}:.frozen",
            "WATTLINE_FLASH": str(image),
            "WATTLINE_FLASH_BLOCKS": "64",
            **straps,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said(vm: str, image: Path, code: str, **straps: str) -> list[str]:
    done = run(vm, image, code, **straps)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()
