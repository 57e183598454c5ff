"""The whole terminal on the real VM against Debian's mosquitto and a gateway of a few lines (gateway_double.py)."""

import os
import signal
import time
from pathlib import Path

import pytest
from terminal import supervisor

from hil.process import Process
from protocol import ack, mac, record
from protocol.host import orders
from tests.firmware.gateway_double import GatewayDouble
from tests.firmware.live_flash import freed
from tests.firmware.site import KEY, NAME, SECRET, Site, site
from tests.gateway.support import wait_until

pytestmark = [pytest.mark.e2e]


def seqs(gateway: GatewayDouble) -> set[int]:
    return set(gateway.records)


@pytest.mark.parametrize("vm", ["vm64", "vm32"])
def test_everything_is_delivered_and_freed(tmp_path: Path, vm: str) -> None:
    """R-04: a backlog and the new records, on both VMs; what is acknowledged is not in the log any more."""
    with site(tmp_path, vm) as made:
        made.provision()
        epoch, last = made.prefill(300)
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("300 records and the boot", lambda: seqs(gateway) >= set(range(1, last + 2)))
            wait_until(lambda: freed(made.terminal, set(range(1, last + 2))), "the last ack")
            made.terminal.kill()
        assert {one.epoch for one in gateway.frames} == {epoch}
        assert [one.seq for one in gateway.frames[0].records] == [298, 299, 300, 301], "live first"
        assert [one.seq for one in gateway.frames[1].records] == list(range(1, 9)), "then the oldest"
        assert gateway.records[301].body.code == record.BOOT
        assert set(made.pending()).isdisjoint(range(1, last + 1))


def test_without_acks_all_is_kept_and_sent_again(tmp_path: Path) -> None:
    """R-02: PUBACKs free nothing; the gateway's silence makes the terminal ask again, less and less often."""
    with site(tmp_path) as made:
        made.provision(ack_timeout_ms=200)
        _, last = made.prefill(40)
        made.broker.start()
        with made.gateway() as gateway:
            gateway.answering = False
            made.terminal.start()
            newest = (last - 2, last - 1, last, last + 1)
            gateway.wait(
                "the newest records, three times",
                lambda: [tuple(each.seq for each in one.records) for one in gateway.frames].count(newest) >= 3,
            )
            assert len(gateway.frames) <= 6 + 4, "only one frame is repeated"
            made.terminal.kill()
            assert made.pending() == list(range(1, last + 2))
            gateway.answering = True
            made.terminal.start()
            gateway.wait("the second boot", lambda: len(gateway.events(record.BOOT)) == 2)
            wait_until(lambda: freed(made.terminal, set(gateway.records)), "the last ack")
            made.terminal.kill()
        assert made.pending() == []
        assert len({one.boot_id for one in gateway.frames}) == 2, "each start has its own"


def test_refused_for_good_is_freed_too(tmp_path: Path) -> None:
    """What the gateway will never take does not come back."""
    with site(tmp_path) as made:
        made.provision()
        made.prefill(10)
        made.broker.start()
        with made.gateway() as gateway:
            gateway.refuse = {3, 7}
            made.terminal.start()
            gateway.wait("all", lambda: seqs(gateway) >= set(range(1, 12)))
            wait_until(lambda: freed(made.terminal, set(range(1, 12))), "the last ack")
            made.terminal.kill()
        assert made.pending() == []


def test_an_ack_of_another_key_terminal_or_epoch_is_ignored(tmp_path: Path) -> None:
    """S-05: neither a record is freed nor the clock set by what is not this gateway's word to this terminal."""
    with site(tmp_path, rtc="none") as made:
        made.provision()
        epoch, last = made.prefill(5)
        made.broker.start()
        with made.gateway() as gateway:
            gateway.answering = False
            made.terminal.start()
            gateway.wait("a frame", lambda: bool(gateway.frames))
            echo = (gateway.frames[0].boot_id, gateway.frames[0].sent_ms)
            everything = [(1, last + 1)]
            other = mac.Key(bytes(32), 1)
            good = ack.seal_ack(KEY, NAME, epoch, everything, [], made.clock.now_ms(), echo)
            for forged in (
                ack.seal_ack(other, NAME, epoch, everything, [], made.clock.now_ms(), echo),
                ack.seal_ack(mac.Key(SECRET, 2), NAME, epoch, everything, [], made.clock.now_ms(), echo),
                ack.seal_ack(KEY, "T-78", epoch, everything, [], made.clock.now_ms(), echo),
                ack.seal_ack(KEY, NAME, epoch ^ 1, everything, [], made.clock.now_ms(), echo),
                good[:-1],
                good + b"\0",
                good[:40] + bytes((good[40] ^ 1,)) + good[41:],
                b"",
            ):
                gateway.send(forged)
            made.terminal.process.wait_for_line("(?s)(ack ignored.*){8}", 60)
            assert "clock set" not in made.terminal.process.text()
            made.terminal.kill()
            assert made.pending() == list(range(1, last + 2))


def test_the_time_comes_from_the_ack_and_a_replay_does_not_move_it(tmp_path: Path) -> None:
    """S-09: a terminal without a clock gets one with its first ack; acks played again and again change nothing."""
    with site(tmp_path, factor=600, rtc="none") as made:
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("the clock's event", lambda: bool(gateway.events(record.CLOCK_SET)))
            boot, clock_set = gateway.events(record.BOOT)[0], gateway.events(record.CLOCK_SET)[0]
            assert (boot.time_s, boot.clock_source) == (None, record.CLOCK_NONE)
            assert clock_set.clock_source == record.CLOCK_GATEWAY
            assert abs(clock_set.time_s * 1000 - made.clock.now_ms()) < 600_000
            started_s = clock_set.time_s - clock_set.uptime_s
            old = list(gateway.acks)
            for _ in range(10):
                for one in old:
                    gateway.client.publish(f"wattline/down/{NAME}", one, qos=1)
                time.sleep(0.1)
            gateway.wait("two more windows", lambda: len(windows(gateway)) >= 3)
            made.terminal.kill()
        # a better answer may correct the first one by seconds, a replay would by the minutes that it is old
        assert all(abs(one.values[0]) < 120 for one in gateway.events(record.CLOCK_SET))
        for window in windows(gateway):
            if window.start_s is not None:
                assert abs(window.start_s + window.length_s - window.end_uptime_s - started_s) < 120
                assert window.readings == [record.NONE_SILENT], "no meter answers: none, because"


def windows(gateway: GatewayDouble) -> list[record.Window]:
    return [one.body for one in gateway.records.values() if one.type == record.WINDOW]


def is_whole(gateway: GatewayDouble) -> bool:
    """Whether no number is missing."""
    return sorted(gateway.records) == list(range(1, len(gateway.records) + 1))


def test_it_starts_without_a_broker_and_connects_when_there_is_one(tmp_path: Path) -> None:
    """The windows that close meanwhile are delivered then; the broker dying later changes nothing."""
    with site(tmp_path, factor=900) as made:
        made.provision()
        made.terminal.start()
        made.terminal.process.wait_for_line("uplink: OSError", 60)
        time.sleep(1.2)
        made.broker.start()
        with made.gateway() as gateway:
            gateway.wait("a window and the boot", lambda: bool(windows(gateway) and gateway.events(record.BOOT)))
            made.broker.kill()
            before = len(windows(gateway))
            made.terminal.process.wait_for_line("uplink: (EOFError|OSError).*\n(.*\n)*.*uplink: OSError", 60)
            made.broker.start()
            gateway.wait("more windows", lambda: len(windows(gateway)) >= before + 2)
            gateway.wait("what is missing: the newest come first", lambda: is_whole(gateway))
            made.terminal.kill()


def test_a_wrong_configuration_ends_the_start_before_anything_is_touched(tmp_path: Path) -> None:
    """The key, and what is allowed, are told; no connection is made."""
    with site(tmp_path) as made:
        made.provision(unacked_frames=0)
        made.broker.start()
        made.terminal.start()
        deadline = time.monotonic() + 60
        while made.terminal.process.running and time.monotonic() < deadline:
            time.sleep(0.02)
        assert made.terminal.process.status == 2
        assert (
            "terminal.json: uplink.unacked_frames: 0; allowed / 允许: an integer, 1 to 4096"
            in made.terminal.process.text()
        )
        assert NAME not in made.broker.process.text()


def test_a_broker_that_hangs_is_left_and_found_again(tmp_path: Path) -> None:
    """TCP stays open, nothing answers; the keep-alive notices."""
    with site(tmp_path) as made:
        made.provision(keepalive_s=1)
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
            pause(made.broker.process, signal.SIGSTOP)
            made.terminal.process.wait_for_line("uplink: OSError the broker is silent", 60)
            pause(made.broker.process, signal.SIGCONT)
            made.terminal.process.wait_for_line("(?s)(uplink: connected.*){2}", 60)
            made.terminal.kill()


def pause(process: Process, how: signal.Signals) -> None:
    assert process._child is not None
    os.kill(process._child.pid, how)


def test_a_broker_that_refuses_frames_is_told_of_and_nothing_is_freed(tmp_path: Path) -> None:
    """MQTT 5 makes an ACL's refusal visible; under 3.1.1 the broker would say success and drop it."""
    with site(tmp_path) as made:
        rules = tmp_path / "acl"
        rules.write_text("topic read wattline/down/#\n")
        with (tmp_path / "broker" / "mosquitto.conf").open("a") as config:
            config.write(f"acl_file {rules}\n")
        made.provision()
        _, last = made.prefill(5)
        made.broker.start()
        made.terminal.start()
        made.terminal.process.wait_for_line("uplink: MqttError the broker refused a frame: 0x87 not authorized", 60)
        made.terminal.kill()
        assert made.pending() == list(range(1, last + 2))


def echo_of(gateway: GatewayDouble) -> tuple[int, int]:
    """(boot, sent_ms) of the newest frame."""
    return gateway.frames[-1].boot_id, gateway.frames[-1].sent_ms


def test_what_was_acknowledged_comes_again_when_it_is_asked_for(tmp_path: Path) -> None:
    """FR-38: records of the log come again, what it never had is named."""
    with site(tmp_path) as made:
        made.provision()
        epoch, last = made.prefill(40)
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("all", lambda: seqs(gateway) >= set(range(1, last + 2)))
            wait_until(lambda: freed(made.terminal, set(range(1, last + 2))), "the last ack")
            frames = len(gateway.frames)
            gateway.send(orders.seal_request(KEY, NAME, epoch, [(3, 5), (9, 9)], echo_of(gateway)))

            def again() -> set[int]:
                return {one.seq for each in gateway.frames[frames:] for one in each.records}

            gateway.wait("3 to 5 and 9", lambda: again() >= {3, 4, 5, 9})
            assert not again() & {1, 2, 6, 7, 8}
            wait_until(lambda: freed(made.terminal, set(range(1, last + 2))), "the last ack")
            made.terminal.kill()
        assert made.pending() == []


def start_again(made: Site) -> None:
    """Wait for the terminal's own end, as a reset ends it, and give it power again."""
    deadline = time.monotonic() + 60
    while made.terminal.process.running:
        assert time.monotonic() < deadline, "it does not start anew"
        time.sleep(0.05)
    assert made.terminal.process.status == 0
    made.terminal.start()


def test_a_configuration_is_taken_by_a_new_start_and_confirmed(tmp_path: Path) -> None:
    """P-96: over the real broker, checked on the real VM; one that is wrong is refused with its reason."""
    with site(tmp_path, factor=900) as made:
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
            wrong = b'{"buses": [{"uart": 0, "baud": 9600, "parity": "N", "stop": 1, "meters": []}]}'
            gateway.send(orders.seal_configuration(KEY, NAME, 1, wrong, echo_of(gateway)))
            gateway.wait("the refusal", lambda: bool(gateway.events(record.CONFIG_REFUSED)))
            assert gateway.events(record.CONFIG_REFUSED)[0].values == [1, record.CONFIG_DOCUMENT, 0]
            right = b'{"sample_interval_s": 300}'
            gateway.send(orders.seal_configuration(KEY, NAME, 1, right, echo_of(gateway)))
            start_again(made)
            gateway.wait("it is told", lambda: bool(gateway.events(record.CONFIG_TAKEN)))
            assert gateway.events(record.CONFIG_TAKEN)[0].values == [1]
            assert gateway.events(record.BOOT)[-1].values[0] == supervisor.CAUSE_CONFIG
            gateway.wait("a window of 3 samples", lambda: any(one.samples_due == 3 for one in windows(gateway)))
            made.terminal.kill()
            made.terminal.start()
            gateway.wait("the next boot", lambda: len(gateway.events(record.BOOT)) == 3)
            assert len(gateway.events(record.CONFIG_TAKEN)) == 1
            made.terminal.kill()


def test_a_configuration_that_loses_the_gateway_is_given_up(tmp_path: Path) -> None:
    """P-97: an hour without it, and the one before is in force again, told as soon as the gateway is there."""
    with site(tmp_path, factor=900) as made:
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
            gateway.answering = False
            gateway.send(orders.seal_configuration(KEY, NAME, 5, b'{"sample_interval_s": 300}', echo_of(gateway)))
            start_again(made)
            start_again(made)
            gateway.answering = True
            gateway.wait("it is told", lambda: bool(gateway.events(record.CONFIG_ROLLED_BACK)))
            assert gateway.events(record.CONFIG_ROLLED_BACK)[0].values == [5, 0]
            made.terminal.kill()


def test_it_says_how_it_is(tmp_path: Path) -> None:
    """P-95: ten minutes after its start, from the real heap."""
    with site(tmp_path, factor=900) as made:
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("it", lambda: bool(gateway.events(record.HEALTH)))
            used, free, *others = gateway.events(record.HEALTH)[0].values
            assert 50_000 < used < 1_000_000
            assert free > 0
            assert len(others) == 6
            made.terminal.kill()


def test_an_opened_cover_and_lost_mains_are_told_at_once(tmp_path: Path) -> None:
    """P-93: ahead of a backlog."""
    with site(tmp_path) as made:
        felt = tmp_path / "inputs"
        felt.write_text("1 00 5000")
        made.terminal.process.env["WATTLINE_INPUTS"] = str(felt)
        made.provision()
        made.broker.start()
        with made.gateway() as gateway:
            made.terminal.start()
            gateway.wait("the boot", lambda: bool(gateway.events(record.BOOT)))
            (tmp_path / "new").write_text("0 10 5000")
            (tmp_path / "new").replace(felt)
            gateway.wait("both", lambda: bool(gateway.events(record.MAINS_LOST) and gateway.events(record.INPUT)))
            assert gateway.events(record.INPUT)[0].values == [1, 1]
            made.terminal.kill()
