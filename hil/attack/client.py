"""Somebody at the broker: what he is let do, and what he hears. By paho, which knows no rule of ours."""

import base64
import hashlib
import os
import ssl
import threading
from collections.abc import Callable
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

ANSWER_S = 20.0  # a busy machine
KEPT_MAX = 10_000  # messages: a run has some hundred
LAST = "wattline/last"  # nobody's topic: what a client says to itself


class Client:
    """A connection. Raises OSError (ssl.SSLError) where it is not made or is ended, TimeoutError where none answers."""

    def __init__(self, port: int, name: str, tls: ssl.SSLContext | None, login: tuple[str, str] | None = None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._answers, self._ended = 0, False
        self._changed = threading.Condition()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        if tls is not None:
            self._client.tls_set_context(tls)
        if login is not None:
            self._client.username_pw_set(*login)
        self._client.on_message = lambda _c, _d, one: self._note((one.topic, bytes(one.payload)))
        self._client.on_connect = self._client.on_subscribe = self._client.on_publish = lambda *_: self._note(None)
        self._client.on_disconnect = lambda *_: self._end()
        self._client.connect("localhost", port)
        self._client.loop_start()
        try:
            self._wait(lambda: self._answers == 1)
        except OSError:
            self.close()
            raise

    def subscribe(self, *topics: str) -> None:
        """Ask for these, one by one, and wait for each answer."""
        for topic in topics:
            self._ask(self._client.subscribe, topic)

    def publish(self, topic: str, data: bytes) -> None:
        """Say it, and wait until the broker has answered; what it does with it, it does not say."""
        self._ask(self._client.publish, topic, data)

    def hear_out(self) -> list[tuple[str, bytes]]:
        """All that was said until now to what it subscribes to: a broker tells one client all in order, so a word of
        its own comes last.
        """
        self.subscribe(LAST)
        self.publish(LAST, b"")
        self._wait(lambda: (LAST, b"") in self.heard)
        return [one for one in self.heard if one[0] != LAST]

    def close(self) -> None:
        """Be gone."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_publish = self._client.on_message = None

    def _ask(self, call: Callable[..., Any], *words: object) -> None:
        before = self._answers
        call(*words, qos=1)
        self._wait(lambda: self._answers > before)

    def _note(self, message: tuple[str, bytes] | None) -> None:
        with self._changed:
            if message is None:
                self._answers += 1
            elif len(self.heard) < KEPT_MAX:
                self.heard.append(message)
            self._changed.notify_all()

    def _end(self) -> None:
        """TLS 1.3 tells who shows a bad certificate so only after his own side holds the handshake for done."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait(self, is_so: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or is_so(), ANSWER_S):
                raise TimeoutError(f"the broker did not answer within {ANSWER_S:g} s")
            if not is_so():
                raise ConnectionError("the broker ended the connection")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def password_hash(password: str) -> str:
    """As mosquitto_passwd writes it: PBKDF2 with SHA-512, 101 rounds."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
