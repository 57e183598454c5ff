"""What each part of the terminal has on the heap, one after the other, on the VM: micropython heap_parts.py

The flash is WATTLINE_FLASH's, provisioned. A JSON object a line: {"part", "bytes"}: in use after a collection, more
than before. Everything is kept until the end.
"""

import gc
import json
import os

KEPT = []


def measured(part: str, make) -> None:  # type: ignore[no-untyped-def]
    """Make it, keep it, tell its size."""
    gc.collect()
    before = gc.mem_alloc()
    KEPT.append(make())
    gc.collect()
    print(json.dumps({"part": part, "bytes": gc.mem_alloc() - before}))


def asyncio_module():  # type: ignore[no-untyped-def]
    import asyncio  # noqa: PLC0415

    return asyncio


def board():  # type: ignore[no-untyped-def]
    import boards  # noqa: PLC0415

    return boards.open_board()


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

    return sampler.open_buses(KEPT[1], KEPT[-1].buses, app.__file__.rsplit("/", 1)[0] + "/../profiles")


def stored():  # type: ignore[no-untyped-def]
    from plain_events import log_event  # noqa: PLC0415
    from terminal import counters, log  # noqa: PLC0415

    count = counters.Counters(KEPT[1].counters_flash())
    return log.Log("/flash/log", log_event, os.urandom, log.segments_for(KEPT[1].flash_bytes()), count)


def sender():  # type: ignore[no-untyped-def]
    from terminal import uplink  # noqa: PLC0415

    return uplink.Uplink(KEPT[-1], KEPT[4].uplink, os.urandom)


def secure():  # type: ignore[no-untyped-def]
    from terminal import config  # noqa: PLC0415

    return KEPT[1].tls_context(*config.load_certificates("/flash"))


measured("asyncio (frozen on boards)", asyncio_module)
measured("the board: its modules, the flash mounted", board)
measured("protocol: the codec's modules", codec)
measured("terminal: the application's modules", application)
measured("the configuration of 9 points", settings)
measured("9 meters of 6 profiles, the bus", meters)
measured("the log, with a week's backlog", stored)
measured("the uplink's flights", sender)
measured("TLS: certificates and context", secure)
