"""The technician's question for meters' addresses: over a real pty, to emulated meters that hear one speed only."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from terminal import bus_protocol
from terminal.bus import Line
from terminal.profile import PROTOCOLS
from typer.testing import CliRunner

from firmware.field.bus import order, scan, several, steps, who
from firmware.field.bus.asking import GARBLED, GOT, REFUSED, SILENT, Heard
from firmware.field.bus.reach import WHO, Question
from firmware.field.bus.who import REQUEST, addresses_in, request
from firmware.field.cli import app
from hil.clock import ScaledClock
from hil.meter_capture import problem_with
from hil.meter_slave import MeterConfig
from hil.meter_wire import Wire
from hil.process import Process

ANSWER = bytes.fromhex("FE FE FE FE 68 12 00 01 03 26 20 68 93 06 45 33 34 36 59 53 53 16")
METER = "202603010012"


def test_the_worked_answer_is_read_and_no_beginning_of_it() -> None:
    assert addresses_in(ANSWER) == [METER]
    assert [addresses_in(ANSWER[:end]) for end in range(len(ANSWER))] == [[]] * len(ANSWER)


END_ANSWER = bytes.fromhex("68 12 00 01 03 26 20 68 91 0A 34 37 33 37 45 33 34 36 59 53 2A 16")


def test_the_worked_answer_to_a_shortened_address_is_read() -> None:
    """P-355: and its question is the standard's read of the address, high bytes AAH."""
    assert request("0012", None).raw.hex(" ").upper() == "FE FE FE FE 68 12 00 AA AA AA AA 68 11 04 34 37 33 37 74 16"
    assert addresses_in(END_ANSWER) == [METER]
    assert [addresses_in(END_ANSWER[:end]) for end in range(len(END_ANSWER))] == [[]] * len(END_ANSWER)


@given(st.text("0123456789x \u0663-", max_size=13))
def test_only_last_digits_make_a_question(end: str) -> None:
    """S-18: two to ten of them; whatever else is asked for ends with a reason."""
    try:
        assert not problem_with(request(end, None).raw, technician=True)
    except ValueError:
        assert len(end) % 2 or len(end) > 10 or not end.isdecimal()


@given(st.binary(max_size=30), st.integers(0, 17), st.integers(1, 255))
def test_it_is_found_behind_noise_and_an_echo_and_damage_is_no_address(noise: bytes, at: int, change: int) -> None:
    assert addresses_in(noise + REQUEST + ANSWER) == [METER]
    damaged = bytearray(ANSWER[4:])
    damaged[at] ^= change
    assert addresses_in(bytes(damaged)) == []


def test_a_terminal_may_not_ask_it() -> None:
    """S-18"""
    assert problem_with(REQUEST)
    assert problem_with(request("12", None).raw)


@contextmanager
def on_a_bus(folder: Path, *addresses: str) -> Iterator[str]:
    """The port of these meters, all at 9600."""
    load = {"kind": "constant", "rated_w": 1}
    meters = [{"address": one, "profile": "dlt645_1p", "baud": 9600, "load": load} for one in addresses]
    config = folder / "meters.json"
    config.write_text(json.dumps({"meters": meters, "log": "served.jsonl"}))
    command = [sys.executable, "-m", "hil.meters", "--config", str(config)]
    with Process("meters", command, folder / "log", ScaledClock(time.time_ns(), 1772380800_000, 1).env()) as process:
        process.start()
        yield process.wait_for_line(r'^\{"pty": "(/dev/[^"]+)"\}$', 60)[1]


def test_the_one_meter_on_a_bus_is_found_with_its_speed(tmp_path: Path) -> None:
    with on_a_bus(tmp_path, METER) as port:  # a pty has no parity
        result = CliRunner().invoke(app, ["find-meter", "--port", port, "--parity", "N", "--json"])
    assert result.exit_code == 0, result.output
    assert [(one["address"], one["line"]) for one in json.loads(result.stdout)["data"]["meters"]] == [
        (METER, "9600 8N1")
    ]


def found_among(addresses: set[str], question: Question) -> Heard:
    """What is heard of meters that answer together: the one that is meant, or rubbish."""
    meant = [one for one in addresses if one.endswith(str(question.address))]
    if len(meant) != 1:
        return Heard(GARBLED if meant else SILENT, b"", b"\x68\x00" if meant else b"", b"")
    body = b"\x68" + bytes.fromhex(meant[0])[::-1] + END_ANSWER[7:14]
    body += bytes((byte + 0x33) & 0xFF for byte in bytes.fromhex(meant[0])[::-1])
    return Heard(GOT, meant[0].encode(), body + bytes((sum(body) & 0xFF, 0x16)), b"")


class Together:
    """A bus of DL/T 645 meters that collide."""

    name = "together"
    signal_dbm = None

    def __init__(self, addresses: set[str]) -> None:
        self.addresses = addresses
        self.asked = 0

    def at(self, _: int) -> "Together":
        return self

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        for question in questions:
            self.asked += 1
            yield found_among(self.addresses, question)

    def close(self) -> None:
        pass


@given(
    st.sets(st.integers(0, 10**12 - 1).map("{:012d}".format) | st.integers(0, 300).map("2026{:08d}".format), max_size=9)
)
def test_several_meters_are_told_apart_within_a_bound_or_it_is_said(addresses: set[str]) -> None:
    """P-355: none is made up; what is whole has all of them."""
    bus = Together(addresses)
    search = several.Search(bus, Line(2400, "E", 1))
    found = list(search.addresses())
    assert len(found) == len(set(found))
    assert set(found) <= addresses
    assert search.is_whole == (bool(addresses) and set(found) == addresses)
    assert bus.asked <= several.QUESTIONS_MAX
    if len({one[-2:] for one in addresses}) == len(addresses):
        assert set(found) == addresses


class OnWire:
    """A bus of emulated meters without a wire between: their answers that begin together collide as on copper."""

    name = "on wire"
    signal_dbm = None

    def __init__(self, *addresses: str) -> None:
        load = {"kind": "constant", "rated_w": 1}
        meters = [{"address": one, "profile": "dlt645_1p", "baud": 9600, "load": load} for one in addresses]
        self._wire = Wire(msgspec.convert(meters, list[MeterConfig]), 1772380800_000, lambda _: None)

    def at(self, _: int) -> "OnWire":
        return self

    def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
        for one in questions:
            protocol = who if one.protocol == WHO else PROTOCOLS[one.protocol]
            request = protocol.request(one.address, one.read)
            heard = b"".join(data for _, data in self._wire.hear(request.raw, 1772380801_000, one.line.baud))
            verdict, data, _ = protocol.scan(heard, request)
            said = {bus_protocol.GOT: GOT, bus_protocol.EXCEPTION: REFUSED}.get(verdict, GARBLED if heard else SILENT)
            yield Heard(said, data if said == GOT else b"", heard, b"")

    def close(self) -> None:
        pass


def test_several_meters_that_collide_are_found_with_their_models() -> None:
    """P-355: two of them end alike; the other speeds are not searched as long again."""
    addresses = ["202603010012", "202603010013", "202603010112"]
    outcome = steps.run_find(OnWire(*addresses), order.who_steps("E"), lambda _: None)
    assert outcome.state == "passed", outcome.findings
    found = {one["address"]: (one["line"], one["models"][0]["profile"]) for one in outcome.data["meters"]}
    assert found == dict.fromkeys(addresses, ("9600 8E1", "dlt645_1p"))


@given(st.integers(0, 300))
def test_ended_in_mid_search_it_gives_the_meters_that_were_told_apart(at: int) -> None:
    """P-293: the two are asked for after the questions at 2400 and the collision at 9600."""
    bus, asked, is_ended = OnWire("202603010012", "202603010014"), 0, False

    class Ended(OnWire):
        def ask(self, questions: Sequence[Question]) -> Iterator[Heard]:
            nonlocal asked, is_ended
            for one in questions:
                if asked == at:
                    is_ended = True
                    raise KeyboardInterrupt
                asked += 1
                yield from bus.ask([one])

    result = scan.scan(Ended(), order.who_steps("E"), enough=lambda result: bool(result.found))
    found = [one.address for one in result.found]
    assert found == ["202603010012", "202603010014"][: len(found)]
    assert result.stopped == is_ended
    assert len(found) == 2 or result.stopped


def test_a_port_that_is_not_there_is_named() -> None:
    result = CliRunner().invoke(app, ["find-meter", "--port", "/dev/no-such-port"])
    assert result.exit_code == 3
    assert "/dev/no-such-port" in result.output
