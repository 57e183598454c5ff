"""SNTP on the real VM, from a real UDP server on loopback: good, late, forged and garbage answers, kisses, silence."""

import json
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from protocol import record
from tests.firmware.site import BROKER, Tls, site
from tests.firmware.sntp_server import Answers, answer, sntp_server
from tests.firmware.vms import VMS, run

ASK = """
import json, time
from terminal import clock, config, rtc_memory, sntp_task
events = []
now = clock.Clock(board, 3, rtc_memory.RtcMemory("/flash/rtc_set"))
now.not_before(1700000000)
task = sntp_task.SntpTask(board, config.Sntp("127.0.0.1", %d), now, lambda *one: events.append(one), print)
async def asks():
    for sntp_task._ANSWER_MS in %s:
        await task.ask()
asyncio.run(asks())
host = [time.time_ns() // 1000000, now.now_ms(), time.time_ns() // 1000000]
off_ms = None if host[1] is None else max(0, host[0] - host[1], host[1] - host[2])
print(json.dumps([now.source, off_ms, now.error_s(), events, task.refused, task._due_ms]))
"""
SOON, PATIENT = 300, 30000  # ms that an answer is awaited: in vain, and however busy the machine is


def asked(vm: str, image: Path, answers: Answers, waits: tuple[int, ...] = (PATIENT,)) -> tuple[Any, ...]:
    """(source, how far off the clock is in ms, bound of its error, events, packets refused, when it asks again)."""
    with sntp_server(answers) as (port, requests):
        done = run(vm, image, ASK % (port, list(waits)), WATTLINE_RTC="none")
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(len(one) == 48 and one[0] == 0x23 and not any(one[1:40]) for one in requests)
        assert len({one[40:] for one in requests}) == len(waits), "no two have the same stamp"
    return tuple(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("vm", VMS)
def test_a_good_answer_sets_the_clock_within_its_bound_and_is_an_event(tmp_path: Path, vm: str) -> None:
    """P-167"""
    source, off_ms, error_s, events, refused, _ = asked(vm, tmp_path / "flash", lambda data, _: [answer(data)])
    assert (source, refused) == (record.CLOCK_SNTP, 0)
    assert off_ms <= 1000 * error_s
    assert events == [[record.CLOCK_SET, None, [0]]]


@pytest.mark.parametrize("vm", VMS)
def test_forged_and_garbage_packets_are_passed_over_until_the_answer_comes(tmp_path: Path, vm: str) -> None:
    """S-09, P-167"""

    def answers(data: bytes, _: int) -> list[bytes]:
        stranger = data[:40] + os.urandom(8)
        forged = [answer(stranger, 86400), answer(stranger, 0, 0xE4, 0, b"DENY"), answer(data[:40] + bytes(8), -900)]
        garbage = [b"", b"\0", os.urandom(47), os.urandom(48), os.urandom(400)]
        return [*forged, *garbage, answer(data), answer(data, 3600)]

    source, off_ms, error_s, events, refused, _ = asked(vm, tmp_path / "flash", answers)
    assert (source, refused, len(events)) == (record.CLOCK_SNTP, 8, 1)
    assert off_ms <= 1000 * error_s


def test_a_flood_of_forged_packets_costs_a_bounded_time_and_tells_no_time(tmp_path: Path) -> None:
    """P-167"""
    found = asked(VMS[0], tmp_path / "flash", lambda data, _: [answer(data[:40] + bytes(8))] * 64 + [answer(data)])
    assert found[:5] == (record.CLOCK_NONE, None, 65535, [], 64)


def test_an_answer_from_before_the_image_was_made_is_refused_and_counted(tmp_path: Path) -> None:
    """S-09, P-167"""
    found = asked(VMS[1], tmp_path / "flash", lambda data, _: [answer(data, -20 * 365 * 86400)])
    assert found[:5] == (record.CLOCK_NONE, None, 65535, [], 1)


def test_an_answer_that_comes_late_is_nobodys(tmp_path: Path) -> None:
    """S-09, P-167: the first request's answer comes only with the second's request"""
    first: list[bytes] = []

    def answers(data: bytes, before: int) -> list[bytes]:
        if not before:
            first.append(answer(data, -7200))
            return []
        return [*first, answer(data)]

    source, off_ms, error_s, events, _, _ = asked(VMS[0], tmp_path / "flash", answers, (SOON, PATIENT))
    assert (source, len(events)) == (record.CLOCK_SNTP, 1)
    assert off_ms <= 1000 * error_s


@pytest.mark.parametrize(("kiss", "again"), [(b"DENY", False), (b"RSTR", False), (b"RATE", True)])
def test_a_kiss_of_death_ends_the_asking_or_slows_it_down(tmp_path: Path, kiss: bytes, *, again: bool) -> None:
    """P-167"""
    found = asked(VMS[1], tmp_path / "flash", lambda data, _: [answer(data, 0, 0xE4, 0, kiss)])
    assert found[:5] == (record.CLOCK_NONE, None, 65535, [], 1)
    assert found[5] is None if not again else found[5] >= 3600000


def test_where_nobody_answers_the_terminal_asks_again_later_and_later(tmp_path: Path) -> None:
    """P-167: silence, and nobody there"""
    silent = asked(VMS[0], tmp_path / "flash", lambda *_: [], (SOON, SOON, SOON))
    assert silent[:5] == (record.CLOCK_NONE, None, 65535, [], 0)
    assert silent[5] >= 240000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    done = run(VMS[0], tmp_path / "flash", ASK % (port, [PATIENT]), WATTLINE_RTC="none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OSError" in done.stdout


@pytest.mark.slow
def test_a_terminal_that_reaches_no_gateway_stamps_its_records_by_sntp(tmp_path: Path) -> None:
    """P-167; S-09: and the gateway's answer then wins over a server that lies"""
    with sntp_server(lambda data, _: [answer(data, 7200)]) as (port, _), site(tmp_path, rtc="none") as made:
        made.provision(sntp_port=port)
        made.terminal.start()
        made.terminal.process.wait_for_line("clock set by sntp, step 0 s", 60)
        made.broker.start()
        with made.gateway() as gateway:
            gateway.now_ms = lambda: time.time_ns() // 1000000
            gateway.wait("both events", lambda: len(gateway.events(record.CLOCK_SET)) == 2)
            by_sntp, by_gateway = gateway.events(record.CLOCK_SET)
            assert (by_sntp.clock_source, by_gateway.clock_source) == (record.CLOCK_SNTP, record.CLOCK_GATEWAY)
            assert by_sntp.values == [0]
            assert abs(by_gateway.values[0] + 7200) <= 60


@pytest.mark.slow
def test_a_modem_of_the_board_tells_a_terminal_the_time(tmp_path: Path) -> None:
    """P-179: the whole terminal, without broker, SNTP and RTC; at its first start the modem has no network."""
    answer = tmp_path / "modem"
    answer.write_bytes(b'+CCLK: "80/01/06,00:00:09"\r\n\r\nOK\r\n')
    with site(tmp_path, rtc="none") as made:
        made.provision()
        made.terminal.process.env["WATTLINE_MODEM"] = str(answer)
        made.terminal.start()
        made.terminal.process.wait_for_line("next 1 ", 60)
        assert "clock set" not in made.terminal.process.text()
        answer.write_bytes(b'+CCLK: "26/09/21,22:13:20+32"\r\n\r\nOK\r\n')
        made.terminal.kill()
        made.terminal.start()
        made.terminal.process.wait_for_line("clock set by the modem, step 0 s, error 60 s", 60)
        made.terminal.kill()


@pytest.mark.slow
def test_by_sntp_a_terminal_whose_clock_shows_2000_takes_the_brokers_certificate_at_once(tmp_path: Path) -> None:
    """P-166: one that is younger than the image, so that the image's build time would not do"""
    tls = Tls()
    now = datetime.now(UTC)
    tls.server = tls.authority.issue(BROKER, now - timedelta(days=2), now + timedelta(days=90))
    with sntp_server(lambda data, _: [answer(data)]) as (port, _), site(tmp_path, rtc="dead", tls=tls) as made:
        made.provision(sntp_port=port)
        made.terminal.start()
        made.terminal.process.wait_for_line("clock set by sntp, step 0 s", 60)
        made.broker.start()
        with made.gateway() as gateway:
            gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)), 60)
            made.terminal.kill()
        assert "certificate is refused" not in made.terminal.process.text()
