"""The deterministic simulation (docs/bench.md)."""

import firmware  # noqa: F401  makes `terminal` importable, whichever module of this package comes first
