"""What each part of the terminal has on the heap, one after the other, on the VM: micropython heap_parts.py

The flash is WATTLINE_FLASH's, provisioned. A JSON object a line: {"part", "bytes"}: in use after a collection, more
than before. Everything is kept until the end.
"""

import gc
import json
import os

KEPT = {}  # type: ignore[var-annotated]  # of whatever type, by the name of what made it


def measured(part: str, make) -> None:  # type: ignore[no-untyped-def]
    """Make it, keep it, tell its size."""
    before = _in_use()
    KEPT[make.__name__] = make()
    print(json.dumps({"part": part, "bytes": _in_use() - before}))


def _in_use() -> int:
    gc.collect()
    used: int = gc.mem_alloc()  # type: ignore[attr-defined]  # MicroPython's
    return used


def asyncio_module():  # type: ignore[no-untyped-def]
    import asyncio  # noqa: PLC0415

    return asyncio


def board():  # type: ignore[no-untyped-def]
    import boards  # noqa: PLC0415

    return boards.open_board()  # type: ignore[no-untyped-call]


def codec():  # type: ignore[no-untyped-def]
    from protocol import ack, cbor, checked, configuration, down, errors, frame, limits, mac, record  # noqa: PLC0415

    return ack, cbor, checked, configuration, down, errors, frame, limits, mac, record


def application():  # type: ignore[no-untyped-def]
    from terminal import app  # noqa: PLC0415

    return app


def settings():  # type: ignore[no-untyped-def]
    from terminal import config  # noqa: PLC0415

    return config.load("/flash/terminal.json")


def meters():  # type: ignore[no-untyped-def]
    from terminal import app, sampler  # noqa: PLC0415

    return sampler.open_buses(KEPT["board"], KEPT["settings"].buses, app.__file__.rsplit("/", 1)[0] + "/../profiles")


def stored():  # type: ignore[no-untyped-def]
    from plain_events import log_event  # noqa: PLC0415
    from terminal import counters, log  # noqa: PLC0415

    count = counters.Counters(KEPT["board"].counters_flash())
    return log.Log("/flash/log", log_event, os.urandom, log.segments_for(KEPT["board"].flash_bytes()), count)


def sender():  # type: ignore[no-untyped-def]
    from terminal import uplink  # noqa: PLC0415

    return uplink.Uplink(KEPT["stored"], KEPT["settings"].uplink, os.urandom)


def secure():  # type: ignore[no-untyped-def]
    from terminal import config  # noqa: PLC0415

    return KEPT["board"].tls_context(*config.load_certificates("/flash"))


measured("asyncio (frozen on boards)", asyncio_module)
measured("the board: its modules, the flash mounted", board)
measured("protocol: the codec's modules", codec)
measured("terminal: the application's modules", application)
measured("the configuration of 9 points", settings)
measured("9 meters of 6 profiles, the bus", meters)
measured("the log, with a week's backlog", stored)
measured("the uplink's flights", sender)
measured("TLS: certificates and context", secure)
