"""What the terminal runs. Importing this makes `terminal` and `boards` importable under CPython."""

import sys
from pathlib import Path

DEVICE = Path(__file__).parent / "device"  # the terminal's file system, as its root

if str(DEVICE) not in sys.path:
    sys.path.insert(0, str(DEVICE))
