"""The stream itself: made where there is none, used only where it keeps what it is given; and what it holds."""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.config import JetStreamConfig
from gateway.jetstream.client import Client, NatsError
from gateway.jetstream.messages import subjects_of
from gateway.jetstream.parser import Message

DAY_NS = 86_400 * 10**9
_NO_RESPONDERS = 503
# err_code of JetStream's API (server/errors.json)
_NOT_THERE, _NO_MESSAGE, _IS_THERE = 10059, 10037, 10077
_NO_PEERS = 10005  # too few servers for the replicas that are wanted
_NOT_ENABLED = {_NO_PEERS, 10035, 10039, 10076}
_FULL = {10023, 10028, 10047, 10122}
_PER_SUBJECT = "per subject"

# What the stream must be: anything else loses what it took, or takes a record twice.
_WANTED: dict[str, tuple[Any, str]] = {
    "retention": ("limits", "it lets go of what was read"),
    "storage": ("file", "it keeps in memory"),
    "discard": ("new", "it discards old messages"),
    "discard_new_per_subject": (True, "it replaces a record by another one of its name"),
    "max_msgs_per_subject": (1, "it takes a record more than once"),
    "max_msgs": (-1, "it is limited in messages"),
    "max_bytes": (-1, "it is limited in bytes"),
    "no_ack": (False, "it acknowledges nothing"),
    "sealed": (False, "it is sealed"),
}


def ensure(client: Client, config: JetStreamConfig, *, create: bool = True) -> dict[str, Any]:
    """What the server says of the stream, which is there and as it must be. Raises NatsError."""
    found = call(client, f"STREAM.INFO.{config.stream}")
    if create and _code(found) == _NOT_THERE:
        found = call(client, f"STREAM.CREATE.{config.stream}", _wanted(config))
    raise_if_refused(found)
    wrong = _differences(found["config"], config)
    if wrong:
        raise NatsError("limits", f"stream {config.stream}: {'; '.join(wrong)}")
    return found


def call(client: Client, what: str, asked: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request to JetStream's API; its answer, which may be an error. Raises NatsError."""
    answer = client.request(f"$JS.API.{what}", msgspec.json.encode(asked) if asked else b"")
    if answer.status == _NO_RESPONDERS:
        raise NatsError("no_jetstream", f"{client.server}: a NATS server without JetStream, or not for this account")
    try:
        return msgspec.json.decode(answer.data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise NatsError("protocol", f"{client.server}: {answer.data[:60]!r} as an answer to {what}") from error


def is_taken(answer: Message, stream: str) -> bool:
    """Whether a message was stored; False: its subject has one. Raises NatsError where neither is known."""
    if not answer.status and b'"error"' not in answer.data and b'"seq":' in answer.data:
        return True
    if answer.status or not answer.data:
        raise NatsError("no_jetstream", f"no stream takes {stream}.>: nobody leads it, or it was deleted")
    try:
        found = msgspec.json.decode(answer.data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise NatsError("protocol", f"{answer.data[:60]!r} as an answer to a message") from error
    if _code(found) == _IS_THERE and _PER_SUBJECT in _text(found):
        return False
    raise_if_refused(found)
    raise NatsError("protocol", f"{answer.data[:60]!r} as an answer to a message")


def stored(client: Client, stream: str, subjects: Sequence[bytes]) -> list[bytes | None]:
    """What the stream holds under each; None: nothing. Said by its leader, not by a replica. Raises NatsError."""
    to = f"$JS.API.STREAM.MSG.GET.{stream}".encode()
    asked = [(to, msgspec.json.encode({"last_by_subj": subject.decode()})) for subject in subjects]
    found: list[bytes | None] = []
    for answer in client.request_all(asked):
        if answer.status:
            raise NatsError("no_jetstream", f"stream {stream}: nobody leads it, or it was deleted")
        try:
            told = msgspec.json.decode(answer.data, type=dict[str, Any])
            body = base64.b64decode(told["message"].get("data", "")) if "message" in told else None  # none: empty
        except ValueError as error:
            raise NatsError("protocol", f"{answer.data[:60]!r} as an answer to a look for a message") from error
        if _code(told) != _NO_MESSAGE:
            raise_if_refused(told)
        found.append(body)
    return found


def _wanted(config: JetStreamConfig) -> dict[str, Any]:
    """The stream as we make it."""
    limits = {name: value for name, (value, _) in _WANTED.items()}
    age_ns = (config.keep_days or 0) * DAY_NS
    about = "wattline: accepted records; see docs/scale.md"
    more = {"num_replicas": config.replicas, "max_age": age_ns, "max_consumers": -1, "duplicate_window": 0}
    return {"name": config.stream, "subjects": [subjects_of(config.stream)], "description": about, **limits, **more}


def _differences(found: dict[str, Any], config: JetStreamConfig) -> list[str]:
    """In words, what of a stream that is there is not as it must be."""
    subjects, replicas, age_ns = [subjects_of(config.stream)], config.replicas, (config.keep_days or 0) * DAY_NS
    wrong = [text for name, (value, text) in _WANTED.items() if found.get(name, False) != value]
    if found.get("subjects") != subjects:
        wrong.append(f"it takes {found.get('subjects')} and not {subjects}")
    if found.get("num_replicas", 1) < replicas:
        wrong.append(f"{found.get('num_replicas', 1)} replicas and not {replicas}")
    kept_ns = found.get("max_age", 0)
    if kept_ns and not 0 < age_ns <= kept_ns:
        wrong.append(f"it keeps for {kept_ns // DAY_NS} days and not {config.keep_days or 'for ever'}")
    if found.get("mirror") or found.get("sources"):
        wrong.append("it copies another stream")
    return wrong


def raise_if_refused(found: dict[str, Any]) -> None:
    """Raises NatsError where the server's answer is an error."""
    code, text = _code(found), _text(found)
    if not code and not text:
        return
    if code == _NO_PEERS:
        text += ": a server is away, or the cluster has left it out at its first start (docs/scale.md)"
    if code in _NOT_ENABLED:
        raise NatsError("no_jetstream", text)
    raise NatsError("full" if code in _FULL or code == _IS_THERE else "protocol", f"{text} ({code})")


def _code(found: dict[str, Any]) -> int:
    return int(found.get("error", {}).get("err_code", 0))


def _text(found: dict[str, Any]) -> str:
    return str(found.get("error", {}).get("description", ""))
