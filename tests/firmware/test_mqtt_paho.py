"""The terminal's MQTT packets against paho's: what one writes, the other reads."""

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
from paho.mqtt.subscribeoptions import SubscribeOptions
from terminal import mqtt_packet as packet


@given(
    client=st.text("abcXYZ019_-", min_size=1, max_size=32),
    keepalive=st.integers(1, 65535),
    expiry=st.integers(0, 2**32 - 1),
    maximum=st.integers(1, 65535),
    size=st.integers(1, 2**28 - 1),
)
def test_paho_reads_our_connect(client: str, keepalive: int, expiry: int, maximum: int, size: int) -> None:
    data = packet.connect(client, keepalive, expiry, maximum, size)
    length, used = VariableByteIntegers.decode(data[1:])
    body = data[1 + used :]
    assert (data[0], length) == (0x10, len(body))
    assert body[:8] == b"\x00\x04MQTT\x05\x00"
    assert int.from_bytes(body[8:10], "big") == keepalive
    properties, used = Properties(PacketTypes.CONNECT).unpack(body[10:])
    assert properties.SessionExpiryInterval == expiry
    assert properties.ReceiveMaximum == maximum
    assert properties.MaximumPacketSize == size
    assert body[10 + used :] == len(client).to_bytes(2, "big") + client.encode()


@given(
    present=st.booleans(),
    maximum=st.none() | st.integers(1, 65535),
    size=st.none() | st.integers(1, 2**28 - 1),
    keepalive=st.none() | st.integers(0, 65535),
    pairs=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3),
    said=st.none() | st.text(max_size=9),
)
def test_we_read_pahos_connack_properties(
    present: bool,
    maximum: int | None,
    size: int | None,
    keepalive: int | None,
    pairs: list[tuple[str, str]],
    said: str | None,
) -> None:
    properties = Properties(PacketTypes.CONNACK)
    for name, value in (
        ("ReceiveMaximum", maximum),
        ("MaximumPacketSize", size),
        ("ServerKeepAlive", keepalive),
        ("ReasonString", said),
        ("UserProperty", pairs or None),
    ):
        if value is not None:
            setattr(properties, name, value)
    found = packet.read_connack(bytes((present, 0)) + properties.pack())
    assert found.session_present == present
    assert found.receive_maximum == (65535 if maximum is None else maximum)
    assert found.packet_max == (268435460 if size is None else size)
    assert found.keepalive_s == keepalive


@given(
    topic=st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text),
    number=st.integers(1, 65535),
    payload=st.binary(max_size=300),
    expiry=st.none() | st.integers(0, 2**32 - 1),
    content=st.none() | st.text(max_size=9),
)
def test_we_read_a_publish_with_pahos_properties(
    topic: str, number: int, payload: bytes, expiry: int | None, content: str | None
) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    if expiry is not None:
        properties.MessageExpiryInterval = expiry
    if content is not None:
        properties.ContentType = content
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + number.to_bytes(2, "big") + properties.pack() + payload
    assert packet.read_publish(0x32, body) == (topic, number, payload)


def test_our_subscribe_has_pahos_options() -> None:
    assert packet.subscribe("a", 1)[-1:] == SubscribeOptions(qos=1).pack()
