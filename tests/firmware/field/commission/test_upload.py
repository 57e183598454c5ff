"""The test upload's verdict, from what a terminal says on its console."""

import os
import tty

import pytest

from firmware.field.commission import console, upload, words

LINES = 60  # of 50 bytes: more than one line may have, less than a pty holds
START = ">>> 0.098 wattline T0001 boot 2 cause 1 epoch c48bbc96 next 2 pending 1 configuration 0"
CONNECTED = "0.106 uplink: connected, 2 records pending"
ACKED = "0.193 uplink: acknowledged by the gateway: epoch c48bbc96 record 3"
NO_WIFI = "3.201 uplink: OSError no Wi-Fi yet"


def test_it_passes_at_the_first_record_that_the_gateway_acknowledged() -> None:
    """P-304"""
    told: list[str] = []
    found = upload.judge([None, START, NO_WIFI, "", CONNECTED, ACKED, "never read"], told.append)
    assert (found.state, found.data) == ("passed", {"epoch": 0xC48BBC96, "seq": 3})
    assert told == [START, NO_WIFI, CONNECTED, ACKED]


def test_lines_that_come_all_at_once_are_all_heard() -> None:
    """P-304"""
    board, port = os.openpty()
    tty.setraw(port)
    wanted = [f"line {number:45d}" for number in range(LINES)]
    heard: list[str] = []
    said = console.lines(os.ttyname(port), 60)
    assert next(said) is None  # it is listened to
    os.write(board, "".join(f"{one}\n" for one in wanted).encode())
    while len(heard) < LINES:
        heard += [line for line in (next(said),) if line is not None]
    del said
    os.close(board)
    os.close(port)
    assert [line.split() for line in heard] == [line.split() for line in wanted]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([], "silent"),
        ([START], "silent"),
        ([START, NO_WIFI], "no_link"),
        ([START, "2.0 uplink: OSError -2"], "no_such_host"),
        ([START, "2.0 uplink: OSError [Errno 111] ECONNREFUSED"], "no_broker"),
        ([START, "20.0 uplink: TimeoutError "], "no_broker"),
        ([START, "2.0 uplink: OSError 32"], "hung_up"),
        ([START, "2.0 uplink: OSError (-30592, 'SSL - A fatal alert message was received from our peer')"], "hung_up"),
        ([START, "2.0 uplink: the broker's certificate is refused: not yet valid"], "certificate"),
        ([START, "2.0 uplink: MqttError the broker refused the connection 135"], "broker_refuses"),
        ([START, CONNECTED], "not_answered"),
        ([START, NO_WIFI, CONNECTED], "not_answered"),
        ([START, CONNECTED, "9.9 uplink: OSError [Errno 104] ECONNRESET"], "no_broker"),
        ([START, CONNECTED, "1.0 uplink: ack ignored: mac"], "key"),
        ([START, CONNECTED, "1.0 uplink: refused by the gateway: [(1, 1, 3)]"], "refused"),
        (["terminal.json: mqtt.port: 0; allowed / 允许: an integer, 1 to 65535"], "configuration"),
        (["Traceback (most recent call last):", "MemoryError: memory allocation failed"], "crash"),
    ],
)
def test_what_kept_it_from_that_is_named_with_what_to_do(said: list[str], code: str) -> None:
    """P-304"""
    found = upload.judge(said)
    (finding,) = found.findings
    assert (found.state, finding.code, found.exit_status) == ("failed", code, 4)
    assert finding.advice_en
    assert finding.advice_zh
    assert found.data["console"] == said


def test_every_finding_has_a_line_that_leads_to_it() -> None:
    names = {name for name, _ in upload._SAID} | {"silent", "not_answered"}
    assert set(words.UPLOAD) == names
