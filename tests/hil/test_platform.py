"""The platform emulator: what it answers, what it keeps, and how it misbehaves when told to."""

import asyncio
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.hj212.packet import Segment, build
from hil.platform import Mode, Platform, close_writer, mode_of
from hil.platform_ledger import Ledger, load

ROOT = pathlib.Path(__file__).parents[2]
MN = "010000A8900016F000169DC0"
ANSWER_S = 60  # a loopback answer takes milliseconds, on an idle machine
SILENCE_S = 0.2


def upload(number: int, minute: int = 0, value: str = "12.3", **parts: int) -> Segment:
    items = ((("DataTime", f"2026030108{minute:02d}00"),), (("i33200-Avg", value), ("i33200-Flag", "N")))
    return Segment(f"20260301081500{number:03d}", "32", "2051", "123456", MN, 7 if parts else 5, items, **parts)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def exchange(platform: Platform, data: bytes, answers: int = 1) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.port)
    writer.write(data)
    got = b""
    while got.count(b"\r\n") < answers:
        chunk = await asyncio.wait_for(reader.read(4096), ANSWER_S)
        if not chunk:
            break
        got += chunk
    await close_writer(writer)
    return got


async def nothing_comes(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), SILENCE_S) is None
    except TimeoutError:
        return True


def test_upload_is_answered_9014_and_kept(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        platform = Platform(tmp_path / "journal")
        await platform.start()
        answer = await exchange(platform, build(upload(1)).data)
        await platform.close()
        assert b"QN=20260301081500001;ST=91;CN=9014;" in answer
        assert b";Flag=4;CP=&&&&" in answer
        values = {(MN, "2051", "20260301080000"): {"i33200-Avg": "12.3", "i33200-Flag": "N"}}
        assert platform.ledger.values == load(tmp_path / "journal").values == values

    run(test())


def test_notice_is_answered_9013_and_damage_not_at_all() -> None:
    async def test() -> None:
        platform = Platform()
        await platform.start()
        notice = build(Segment("20260301081600000", "32", "2012", "123456", MN, 5)).data
        damaged = build(upload(1)).data.replace(b"12.3", b"12.4")
        assert b"CN=9013" in await exchange(platform, damaged + notice)
        assert platform.ledger.counts.damaged == 1
        await platform.close()

    run(test())


def test_silent_then_normal() -> None:
    async def test() -> None:
        platform = Platform()
        await platform.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", platform.port)
        await platform.set_mode(Mode("silent"))
        writer.write(build(upload(1)).data)
        assert await nothing_comes(reader)
        assert (platform.ledger.counts.lost, platform.ledger.values) == (1, {})
        await platform.set_mode(Mode("silent", keep=True))
        writer.write(build(upload(1)).data)
        assert await nothing_comes(reader)
        await platform.set_mode(Mode())
        writer.write(build(upload(1)).data)
        assert b"CN=9014" in await asyncio.wait_for(reader.readline(), ANSWER_S)
        assert (platform.ledger.counts.packets, platform.ledger.counts.repeats) == (2, 1)
        await close_writer(writer)
        await platform.close()

    run(test())


def test_refuse_ends_connections_and_comes_back_on_the_same_port() -> None:
    async def test() -> None:
        platform = Platform()
        await platform.start()
        port = platform.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await platform.set_mode(Mode("refuse"))
        assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await platform.set_mode(Mode())
        assert platform.port == port
        assert b"CN=9014" in await exchange(platform, build(upload(1)).data)
        await close_writer(writer)
        await platform.close()

    run(test())


def test_late_and_doubled_answers() -> None:
    async def test() -> None:
        platform = Platform()
        await platform.start()
        await platform.set_mode(Mode("late", delay_ms=100))
        before = time.monotonic()
        assert b"CN=9014" in await exchange(platform, build(upload(1)).data)
        assert time.monotonic() - before >= 0.1
        await platform.set_mode(Mode("double"))
        assert (await exchange(platform, build(upload(2)).data, answers=2)).count(b"CN=9014") == 2
        await platform.close()

    run(test())


def test_drop_closes_at_the_nth_packet() -> None:
    async def test() -> None:
        platform = Platform()
        await platform.start()
        await platform.set_mode(Mode("drop", after_packets=3))
        stream = b"".join(build(upload(number, minute=number)).data for number in range(1, 6))
        assert (await exchange(platform, stream, answers=5)).count(b"CN=9014") == 2
        assert platform.ledger.counts.packets == 2
        await platform.close()

    run(test())


def test_ledger_tells_repeats_duplicates_and_conflicts() -> None:
    ledger = Ledger()
    ledger.accept(upload(1))
    ledger.accept(upload(1))
    assert (ledger.counts.packets, ledger.counts.repeats, ledger.counts.duplicates) == (2, 1, 0)
    ledger.accept(upload(2))
    assert (ledger.counts.duplicates, ledger.counts.conflicts) == (2, 0)
    ledger.accept(upload(3, value="99.9"))
    assert (ledger.counts.duplicates, ledger.counts.conflicts) == (3, 1)
    ledger.accept(upload(3, value="98.0"))
    assert ledger.counts.qn_reused == 1
    assert ledger.values[MN, "2051", "20260301080000"]["i33200-Avg"] == "12.3"


def test_split_upload_is_complete_with_its_last_part() -> None:
    ledger = Ledger()
    ledger.accept(upload(2, pnum=2, pno=2))
    assert ledger.complete == set()
    ledger.accept(upload(2, pnum=2, pno=2))
    assert ledger.complete == set()
    ledger.accept(Segment("20260301081500001", "32", "2051", "123456", MN, 7, upload(1).cp[:1], 2, 1))
    assert ledger.complete == {(MN, "2051", "20260301080000")}
    assert ledger.counts.messages == 1


def test_journal_is_found_again_after_a_kill(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        journal = tmp_path / "journal"
        for number in (1, 2):
            platform = Platform(journal)
            await platform.start()
            await exchange(platform, build(upload(number, minute=number)).data)
            await platform.close()
            with journal.open("a") as file:
                file.write('{"kind": "upl')
        assert load(journal).counts.packets == 2
        assert len(load(journal).complete) == 2

    run(test())


@pytest.mark.parametrize(
    "row",
    [
        {},
        [],
        {"mode": "odd"},
        {"mode": "late", "delay_ms": "3"},
        {"mode": "late", "delay": 3},
        {"mode": "drop", "after_packets": 0},
    ],
)
def test_control_line_that_means_nothing_is_refused(row: object) -> None:
    with pytest.raises(ValueError, match=r"allowed|delay_ms"):
        mode_of(row)


def test_process_prints_its_port_and_obeys_the_control_file(tmp_path: pathlib.Path) -> None:
    journal, control = tmp_path / "journal", tmp_path / "control"
    command = [
        sys.executable,
        "-m",
        "hil.platform",
        "--port",
        "0",
        "--journal",
        str(journal),
        "--control",
        str(control),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stderr is not None
            port = json.loads(child.stdout.readline())["port"]
            platform = Platform()
            platform._address = ("127.0.0.1", port)
            assert b"CN=9014" in asyncio.run(exchange(platform, build(upload(1)).data))
            control.write_text('nonsense\n{"mode": "double"}\n{"mark": "done"}\n')
            assert b"control:" in child.stderr.readline()
            assert child.stdout.readline() == b'{"mark": "done"}\n'
            assert asyncio.run(exchange(platform, build(upload(2)).data, answers=2)).count(b"CN=9014") == 2
        finally:
            child.kill()
    assert load(journal).counts.packets == 2
