"""A province of terminals at once, against a real broker and gateway: prepared, played, and judged."""
