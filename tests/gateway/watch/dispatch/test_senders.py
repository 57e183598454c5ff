"""Each kind of channel against a real server: what arrives, and what is said where it does not."""

import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from paho.mqtt.enums import CallbackAPIVersion

from gateway.files import write_secret
from gateway.watch.dispatch.broker import Topic
from gateway.watch.dispatch.channels import EmailEntry, MqttEntry
from gateway.watch.dispatch.mail import Mail
from gateway.watch.dispatch.message import Message, document
from gateway.watch.dispatch.sender import ChannelError, Sender
from gateway.watch.dispatch.webhook import Webhook
from gateway.watch.store import Row
from hil.broker import Broker
from hil.ports import free_port
from tests.gateway.support import NOW_S, StillClock, make_certificate, mosquitto, wait_until
from tests.gateway.watch.dispatch.world import SECRET, http_server, webhook

ROW = Row(
    17, "E1", "一号炉\r\nBcc: all@example.cn", "treatment_off", NOW_S, NOW_S + 900, {"production_w": 5000}, "open", 1, 1
)
MESSAGE = Message("abc.17.1.begun", [document("abc.17.1.begun", "begun", NOW_S * 1000, ROW, "第一钢铁厂", 8)])


def refused(sender: Sender) -> str:
    with pytest.raises(ChannelError) as caught:
        sender.send(MESSAGE)
    return caught.value.reason


def test_a_webhook_is_posted_signed_json(tmp_path: Path) -> None:
    """P-256."""
    with http_server() as server:
        Webhook(webhook(tmp_path, server.port)).send(MESSAGE)
        ((headers, body),) = server.requests
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert (headers["Wattline-Signature"], headers["Wattline-Message"]) == (signature, "abc.17.1.begun")
    told = json.loads(body)
    assert (told["id"], told["change"], told["at"]) == ("abc.17.1.begun", "begun", "2026-03-01T00:00:00Z")
    assert told["alarm"] == {
        "number": 17,
        "enterprise": "E1",
        "enterprise_name": "第一钢铁厂",
        "subject": ROW.subject,
        "kind": "treatment_off",
        "meaning": "production ran, treatment did not / 生产开、治污停",
        "facts": {"production_w": 5000},
        "from": "2026-03-01T00:00:00Z",
        "to": "2026-03-01T00:15:00Z",
        "state": "open",
    }
    assert "2026-03-01T08:00:00+08:00" in told["text"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, "failing"),
        (307, "failing"),
        (400, "refused"),
        (401, "denied"),
        (413, "refused"),
        (429, "failing"),
        (503, "failing"),
    ],
)
def test_a_webhook_confirms_by_2xx_alone_and_is_not_followed_elsewhere(
    tmp_path: Path, status: int, reason: str
) -> None:
    """P-256."""
    with http_server(lambda _: status) as server:
        assert refused(Webhook(webhook(tmp_path, server.port))) == reason
        assert len(server.requests) == 1
    assert refused(Webhook(webhook(tmp_path, server.port))) == "unreachable"


def test_a_webhook_is_reached_by_tls_and_only_one_that_our_authority_vouches_for(tmp_path: Path) -> None:
    """P-256."""
    ours, theirs = make_certificate(tmp_path / "ours"), make_certificate(tmp_path / "theirs")
    with http_server(tls=_server_context(ours)) as server:
        url = f"https://localhost:{server.port}/"
        assert refused(Webhook(webhook(tmp_path, 0, url=url, tls_ca_file=f"{theirs}.crt"))) == "unreachable"
        assert refused(Webhook(webhook(tmp_path, 0, url=url))) == "unreachable"
        Webhook(webhook(tmp_path, 0, url=url, tls_ca_file=f"{ours}.crt")).send(MESSAGE)
        assert len(server.requests) == 1


def test_a_broker_has_the_message_at_qos_1(tmp_path: Path) -> None:
    """P-256: one that is away, or does not know us, is named so."""
    with Broker(mosquitto(), tmp_path / "broker") as broker:
        topic = Topic(MqttEntry(name="scada", host="127.0.0.1", port=broker.port))
        assert refused(topic) == "unreachable"
        broker.start()
        came: list[tuple[str, int, bytes]] = []
        listener = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        listener.on_message = lambda _client, _data, one: came.append((one.topic, one.qos, bytes(one.payload)))
        granted: list[Any] = []
        listener.on_subscribe = lambda *one: granted.append(one)
        listener.connect("127.0.0.1", broker.port)
        listener.loop_start()
        listener.subscribe("wattline/alarms", qos=1)
        wait_until(lambda: bool(granted))
        topic.send(MESSAGE)
        wait_until(lambda: bool(came))
        listener.loop_stop()
        assert came == [("wattline/alarms", 1, MESSAGE.body)]


class Postbox:
    """What an SMTP server took; it lets in who knows the password, over TLS alone."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[list[str]] = []

    async def handle_RCPT(  # noqa: N802  (the server's own word)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.letters.append(BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(envelope.original_content or b""))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


@contextmanager
def smtp_server(postbox: Postbox, certificate: Path) -> Iterator[int]:
    def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(handled=False, success=(data.login, data.password) == (b"wattline", b"secret"))

    controller = Controller(
        postbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=_server_context(certificate),
        require_starttls=True,
        auth_required=True,
        authenticator=login,
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def test_a_mail_is_in_both_languages_over_tls_and_no_name_makes_a_header(tmp_path: Path) -> None:
    """P-256: a wrong password, a wrong authority, a mailbox that is not there are named so."""
    ours, theirs = make_certificate(tmp_path / "ours"), make_certificate(tmp_path / "theirs")
    password = tmp_path / "password"
    write_secret(password, "secret\n")
    postbox = Postbox()

    def mail(port: int, **more: Any) -> Mail:
        given = {"name": "office", "host": "localhost", "port": port, "username": "wattline", "from_": "w@example.cn"}
        given |= {
            "password_file": str(password),
            "to": ["duty@example.cn", "boss@example.cn"],
            "tls_ca_file": f"{ours}.crt",
        }
        return Mail(EmailEntry(**(given | more)), StillClock())  # type: ignore[arg-type]

    with smtp_server(postbox, ours) as port:
        mail(port).send(MESSAGE)
        assert refused(mail(port, tls_ca_file=f"{theirs}.crt")) == "unreachable"
        assert refused(mail(port, to=["nobody@example.cn"])) == "refused"
        password.write_text("wrong")
        assert refused(mail(port)) == "denied"
    assert refused(mail(port)) == "unreachable"
    (letter,) = postbox.letters
    assert postbox.recipients == [["duty@example.cn", "boss@example.cn"]]
    assert letter["Bcc"] is None
    assert letter["Subject"].startswith(
        "Wattline: Begun / 报警开始: E1 第一钢铁厂, 一号炉 Bcc: all@example.cn: production ran"
    )
    assert (letter["Message-ID"], letter["Date"]) == (
        "<abc.17.1.begun@wattline.invalid>",
        "Sun, 01 Mar 2026 00:00:00 -0000",
    )
    assert "生产开、治污停 (production / 产污 5000 W); 2026-03-01T08:00:00+08:00" in letter.get_content()


def _server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")
    return context
