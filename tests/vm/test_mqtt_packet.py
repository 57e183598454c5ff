# MQTT 5 packets: bytes worked out from the standard, and everything that must be refused. Runs on both interpreters.
from terminal import mqtt_packet as packet


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


def refused(call, *args) -> int:  # type: ignore[no-untyped-def]
    """The reason code with which a packet is refused."""
    try:
        call(*args)
    except packet.MqttError as error:
        assert str(error)
        return error.reason
    raise AssertionError(args)


def test_connect_keeps_the_session_and_says_what_it_takes() -> None:
    expected = unhex("10 21 0004 4d515454 05 00 003c 0f 11 00000e10 21 0008 27 00001100 17 00 0005 5430303031")
    assert packet.connect("T0001", 60, 3600, 8, 4352) == expected


def test_publish_subscribe_and_the_short_ones() -> None:
    assert packet.publish_head("a/b", 10, 4) + b"xyzw" == unhex("32 0c 0003 612f62 000a 00 78797a77")
    assert packet.subscribe("a/b", 1) == unhex("82 09 0001 00 0003 612f62 01")
    assert packet.puback(0x1234) == unhex("40 02 1234")
    assert packet.pingreq() == unhex("c0 00")
    assert packet.disconnect(0x04) == unhex("e0 01 04")


def test_lengths_go_to_four_bytes_in_their_shortest_form() -> None:
    for value, text in (
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16383, "ff7f"),
        (16384, "808001"),
        (2097151, "ffff7f"),
        (2097152, "80808001"),
        (268435455, "ffffff7f"),
    ):
        octets = unhex(text)
        assert packet.variable(value) == octets
        assert packet.remaining_length(octets) == value
        for short in range(1, len(octets)):
            assert packet.remaining_length(octets[:short]) is None
    for text in ("8000", "ff00", "80808000", "ffffffff", "80808080"):
        assert refused(packet.remaining_length, unhex(text)) == packet.MALFORMED


def test_connack_says_what_the_server_takes() -> None:
    plain = packet.read_connack(unhex("00 00 00"))
    assert (plain.session_present, plain.reason, plain.receive_maximum) == (False, 0, 65535)
    assert plain.packet_max > 1000000
    assert plain.keepalive_s is None
    full = packet.read_connack(unhex("01 00 12 21 0014 27 00000400 24 01 13 001e 22 000a 2a 01"))
    assert full.session_present
    assert (full.receive_maximum, full.packet_max, full.maximum_qos, full.keepalive_s) == (20, 1024, 1, 30)
    assert packet.read_connack(unhex("00 87 00")).reason == 0x87
    assert packet.read_connack(unhex("00 84")).reason == 0x84, "a broker that speaks 3.1.1 only leaves properties out"


def test_connack_passes_over_texts_pairs_and_data() -> None:
    # reason string, two user properties, assigned client id, response information, authentication data
    body = unhex("00 00 24 1f 0002 6869 26 0001 61 0001 62 26 0001 61 0001 63 12 0003 616263 1a 0001 78 16 0002 0001")
    body = body[:2] + bytes((len(body) - 3,)) + body[3:]
    assert packet.read_connack(body).reason == 0


def test_publish_is_read_at_both_qualities_of_service() -> None:
    assert packet.read_publish(0x32, unhex("0003 612f62 000a 00 7879")) == ("a/b", 10, b"xy")
    assert packet.read_publish(0x3B, unhex("0003 612f62 000a 00")) == ("a/b", 10, b"")
    assert packet.read_publish(0x30, unhex("0003 612f62 00 7879")) == ("a/b", 0, b"xy")
    # payload format, message expiry, content type, two subscription identifiers
    properties = unhex("01 01 02 00000e10 03 0001 78 0b 05 0b 8001")
    body = unhex("0001 61 0001") + bytes((len(properties),)) + properties + b"p"
    assert packet.read_publish(0x32, body) == ("a", 1, b"p")


def test_acknowledgements_are_read_in_all_their_lengths() -> None:
    assert packet.read_puback(unhex("000a")) == (10, 0)
    assert packet.read_puback(unhex("000a 87")) == (10, 0x87)
    assert packet.read_puback(unhex("000a 97 05 1f 0002 6e6f")) == (10, 0x97)
    assert packet.read_suback(unhex("0001 00 01")) == (1, 1)
    assert packet.read_suback(unhex("0001 00 87")) == (1, 0x87)
    assert packet.read_disconnect(b"") == 0
    assert packet.read_disconnect(unhex("8e")) == 0x8E
    assert packet.read_disconnect(unhex("8b 00")) == 0x8B


def test_what_the_standard_forbids_is_refused() -> None:
    malformed = packet.MALFORMED
    protocol = packet.PROTOCOL_ERROR
    for call, text, reason in (
        (packet.read_connack, "02 00 00", malformed),  # reserved flags
        (packet.read_connack, "01 87 00", malformed),  # session present, and refused
        (packet.read_connack, "00 00 03 21 0000", protocol),  # receive maximum 0
        (packet.read_connack, "00 00 05 27 00000000", protocol),  # maximum packet size 0
        (packet.read_connack, "00 00 06 21 0001 21 0001", protocol),  # twice
        (packet.read_connack, "00 00 02 21 00", malformed),  # ends in a property
        (packet.read_connack, "00 00 01 21 0014", malformed),  # properties shorter than the property
        (packet.read_connack, "00 00 02 7f 00", malformed),  # a property that is none
        (packet.read_connack, "00 00 00 00", malformed),  # more bytes
        (packet.read_connack, "00", malformed),
        (packet.read_puback, "00", malformed),
        (packet.read_puback, "0001 00 00 00", malformed),
        (packet.read_suback, "0001 00", malformed),
        (packet.read_suback, "0001 00 01 01", malformed),
        (packet.read_disconnect, "00 00 00", malformed),
    ):
        assert refused(call, unhex(text)) == reason, text
    for first, text, reason in (
        (0x34, "0001 61 0001 00", protocol),  # QoS 2, for which nobody subscribed
        (0x36, "0001 61 0001 00", protocol),  # QoS 3
        (0x32, "0001 61 0000 00", protocol),  # packet id 0
        (0x32, "0000 0001 00 78", protocol),  # no topic
        (0x32, "0001 61 0001 03 23 0001", protocol),  # topic alias
        (0x32, "0005 61", malformed),
        (0x32, "0001 61 00", malformed),
        (0x32, "0002 c328 0001 00", malformed),  # not UTF-8
        (0x32, "0001 61 0001 7f", malformed),  # properties longer than the packet
    ):
        assert refused(packet.read_publish, first, unhex(text)) == reason, text


def test_any_bytes_are_read_or_refused() -> None:
    state = 1
    calls = (
        packet.read_connack,
        packet.read_puback,
        packet.read_suback,
        packet.read_disconnect,
        lambda body: packet.read_publish(0x32, body),
    )
    for _ in range(2000):
        data = bytearray()
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        for _ in range((state >> 10) % 24):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            data.append((state >> 12) & (0xFF if state & 0x800 else 0x27))
        for call in calls:
            try:
                call(bytes(data))
            except packet.MqttError as error:
                assert error.reason >= 0x80
