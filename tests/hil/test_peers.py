"""What the peers benchmark is made of: the platform that records, the readings, the obvious gateway."""

import contextlib
import io
import random
import struct
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cext import mqtt_stream
from gateway.mqtt import packets
from hil.benchmarks.ingest.load import SECRET
from hil.benchmarks.peers import contenders, naive, platform, readings
from hil.benchmarks.peers.arena import Load, run
from hil.benchmarks.peers.contenders import ALL, Setting
from hil.process import BenchError

NOW_S = 1_780_000_000
SENT = [(f"T{number}", bytes(number % 300)) for number in range(40)]


def connect(version_: int) -> bytes:
    if version_ == 5:
        return packets.connect("x", None, 60, 0, 100, 1000)
    body = struct.pack(">H4sBBHH1s", 4, b"MQTT", 4, 2, 60, 1, b"x")
    return bytes((0x10, len(body))) + body


def publishes(version_: int) -> bytes:
    if version_ == 5:
        return mqtt_stream.publishes(b"up/", dict(enumerate(SENT, start=1)), 1 << 20, dup=False)[0]
    made = b""
    for number, (name, payload) in enumerate(SENT, start=1):
        body = struct.pack(">H", len(name) + 3) + b"up/" + name.encode() + struct.pack(">H", number) + payload
        made += bytes((0x32, len(body) & 0x7F | 0x80, len(body) >> 7)) + body
    return made


@given(st.integers(4, 5), st.integers(0, 2**32))
def test_the_platform_has_what_it_acknowledges_however_the_bytes_are_cut(version_: int, seed: int) -> None:
    """P-111"""
    chance, data = random.Random(seed), connect(version_) + publishes(version_)
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        file = Path(name) / "received"
        store = platform.Store(file)
        client, answers = platform.Client(store), b""
        while data:
            cut = chance.randint(1, 400)
            answers += client.feed(data[:cut])
            data = data[cut:]
            assert platform.progress(file)[0] == len(platform.received(file)) == answers.count(b"\x40\x02")
        assert platform.received(file) == [(f"up/{name}", payload) for name, payload in SENT]
        store.close()


def test_everybody_gets_the_same_readings() -> None:
    due = readings.expected(3, 7, 1, NOW_S)
    assert len(due) == 7 * 9
    frames = readings.messages("frames", 3, 7, 1, NOW_S)
    assert {seen for name, data in frames for seen in readings.of_frame(name, data)} == due
    assert {seen for _, data in readings.messages("json", 3, 7, 1, NOW_S) for seen in readings.of_json(data)} == due


def test_the_obvious_gateway_reads_our_frames_and_takes_no_forged_one() -> None:
    ((name, data),) = readings.messages("frames", 1, 1, 1, NOW_S)
    rows = naive.rows_of(name, naive.opened(data, name, SECRET))
    (first, *others) = rows
    assert (first[0], int(str(first[1])) // 1000) in readings.expected(1, 1, 1, NOW_S)
    assert len(others) == 8
    ((_, text),) = readings.messages("json", 1, 1, 1, NOW_S)
    assert f'"p_mean_w": {rows[0][2]}, "p_min_w": {rows[0][3]}, "p_max_w": {rows[0][4]}'.encode() in text
    with pytest.raises(ValueError, match="tag is wrong"):
        naive.opened(data[:-1] + bytes([data[-1] ^ 1]), name, SECRET)


@pytest.mark.parametrize("name", ["nodered", "thingsboard"])
def test_a_peer_that_is_not_installed_says_how_to_install_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contenders, "NODERED", tmp_path / "nowhere")
    monkeypatch.setattr(contenders, "THINGSBOARD", tmp_path / "nowhere")
    with pytest.raises(BenchError, match=f"make build/stamp/{name}"):
        ALL[name].make(Setting(tmp_path, 1, 2, []))


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ours", "naive"])
def test_a_message_is_counted_from_broker_to_platform(name: str) -> None:
    outcome = run(ALL[name], Load(5, 40, 1, 60.0, 60.0))
    assert (outcome.due, outcome.lost, outcome.doubled) == (40 * 9, 0, 0)
    assert outcome.seconds > 0
    assert version("paho-mqtt") in ALL["naive"].version()
