"""The MQTT sink's connection: over TLS, within what the broker allows, and against a broker at its worst."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.clock import steady_s
from gateway.config import MqttSinkConfig
from gateway.forward import mqtt_sink
from gateway.forward import outbox as store
from gateway.forward.mqtt_sink import MqttSink
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.session import SilentError
from hil.broker import Broker
from tests.cext import mqtt_reference as wire
from tests.gateway.forward.world import Sending, old
from tests.gateway.intake.fake_broker import FakeBroker
from tests.gateway.support import make_certificate, mosquitto, reading, wait_until

PUBLISH, PING = 3, 12
RECEIVE_MAXIMUM_3 = b"\x03\x21\x00\x03"


def sink(port: int, **more: object) -> Callable[[], MqttSink]:
    config = MqttSinkConfig(**{"name": "s", "host": "localhost", "port": port, "prefix": "up", **more})  # type: ignore[arg-type]
    return lambda: MqttSink(config, lambda _: None)


@pytest.fixture
def fake() -> Iterator[FakeBroker]:
    one = FakeBroker()
    yield one
    one.close()


def in_background(what: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=what)
    thread.start()
    return thread


def test_a_broker_is_reached_by_tls_and_only_one_that_our_authority_vouches_for(tmp_path: Path) -> None:
    """P-188."""
    ours, theirs = make_certificate(tmp_path / "ours"), make_certificate(tmp_path / "theirs")
    with Broker(mosquitto(), tmp_path / "tls", {}) as broker:
        config = tmp_path / "tls/mosquitto.conf"
        config.write_text(config.read_text() + f"certfile {ours}.crt\nkeyfile {ours}.key\n")
        broker.process.start()
        wait_until(lambda: "listen socket on port" in broker.process.text())
        for trusted, reasons in ((theirs, ["unreachable"]), (ours, [])):
            sending = Sending(tmp_path / trusted.name / "data", sink(broker.port, tls_ca_file=f"{trusted}.crt"))
            sending.commit([old(seq) for seq in range(40)])
            assert sending.try_to_run() == reasons
            assert store.settled(sending.folder, "s")[0] == (0 if reasons else 40)
            sending.close()
        assert broker.process.text().count("Received PUBLISH") == 40


def test_a_message_too_large_for_the_broker_is_a_dead_letter_and_holds_up_no_other(tmp_path: Path) -> None:
    """P-188."""
    with Broker(mosquitto(), tmp_path / "broker", {"max_packet_size": 1000}) as broker:
        broker.start()
        sending = Sending(tmp_path / "data", sink(broker.port))
        sending.commit([old(1)])
        sending.commit([old(2, *[reading()] * 12)])
        sending.commit([old(3)])
        assert sending.try_to_run() == []
        status = store.status(sending.folder, "s")
        assert (status["dead"], status["counts"]) == ({"refused": 1}, {"dead_refused": 1, "delivered": 2})
        sending.close()


def test_no_more_is_in_flight_than_the_broker_allows_and_nothing_is_safe_before_its_puback(
    tmp_path: Path, fake: FakeBroker
) -> None:
    """P-188: a connection that ends with some of a batch acknowledged costs nothing: all of it comes again."""
    sending = Sending(tmp_path / "data", sink(fake.port))
    sending.commit([old(seq) for seq in range(5)])
    reasons: list[str] = []
    trying = in_background(lambda: reasons.extend(sending.try_to_run()))
    fake.accept()
    fake.send(wire.connack(0, RECEIVE_MAXIMUM_3))
    first = [fake.expect(PUBLISH) for _ in range(3)]
    assert fake.silent()
    fake.send(*(wire.puback(one.packet_id) for one in first[:2]))
    first += [fake.expect(PUBLISH) for _ in range(2)]
    fake.send(*(wire.puback(one.packet_id) for one in first[2:4]))
    fake.hang_up()
    trying.join(10)
    assert (reasons, store.settled(sending.folder, "s")) == (["unreachable"], (0, 0))
    trying = in_background(sending.try_to_run)
    fake.accept()
    fake.send(wire.connack())
    again = [fake.expect(PUBLISH) for _ in range(5)]
    assert [one.payload for one in again] == [one.payload for one in first]
    fake.send(*(wire.puback(one.packet_id) for one in again))
    trying.join(10)
    assert store.settled(sending.folder, "s")[0] == 5
    sending.close()


@pytest.mark.parametrize("answers_connect", [False, True])
def test_a_broker_that_answers_nothing_is_named_so(
    tmp_path: Path, fake: FakeBroker, monkeypatch: pytest.MonkeyPatch, answers_connect: bool
) -> None:
    """P-188: before it let us in, or with messages that it never acknowledges."""
    monkeypatch.setattr("gateway.mqtt.session.ANSWER_S", 0.3)
    monkeypatch.setattr(mqtt_sink, "ACKS_TIMEOUT_S", 0.3)
    sending = Sending(tmp_path / "data", sink(fake.port))
    sending.commit([old(1)])
    reasons: list[str] = []
    trying = in_background(lambda: reasons.extend(sending.try_to_run()))
    fake.accept()
    if answers_connect:
        fake.send(wire.connack())
    assert fake.closed()
    trying.join(10)
    assert (reasons, store.settled(sending.folder, "s")) == (["silent"], (0, 0))
    sending.close()


def test_a_connection_that_idles_is_kept_and_one_that_died_is_made_anew(fake: FakeBroker) -> None:
    """P-188."""
    skipped_s = 0.0
    config = MqttSinkConfig(name="s", host="127.0.0.1", port=fake.port, keepalive_s=30)
    made: list[Publisher] = []
    making = in_background(lambda: made.append(Publisher(config, 10, lambda: steady_s() + skipped_s)))
    fake.accept()
    fake.send(wire.connack())
    making.join(10)
    (publisher,) = made
    publisher.keep()
    assert fake.silent(0.1)
    skipped_s = 16.0
    publisher.keep()
    publisher.keep()
    fake.expect(PING)
    skipped_s = 60.0
    with pytest.raises(SilentError):
        publisher.keep()
    publisher.close()
