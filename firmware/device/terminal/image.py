# Which image this is. `make firmware` puts its own version of this file into the image.
VERSION = (0, 1, 0)
COMMIT = ""  # of what it was made of
BUILT_S = 1767225600  # 2026-01-01: no clock that shows less is right


def number() -> int:
    """The version as the BOOT event has it."""
    return VERSION[0] * 1000000 + VERSION[1] * 1000 + VERSION[2]
