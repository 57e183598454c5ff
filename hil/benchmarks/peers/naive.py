"""`python -m hil.benchmarks.peers.naive BROKER_PORT PLATFORM_PORT FILE KEY_HEX`: the obvious gateway in Python.

paho-mqtt, hmac, cbor2, sqlite3 with a row a reading, acknowledged after the commit; a second paho client forwards each
message as JSON and marks it when the platform has it. What one writes in an afternoon; kept as a yardstick.
"""

import hmac
import json
import queue
import sqlite3
import sys
import threading

import cbor2
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from protocol import limits, mac

BATCH = 500
SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (point TEXT, ts INTEGER, p_mean INTEGER, p_min INTEGER, p_max INTEGER,
    e_import INTEGER, rest TEXT, PRIMARY KEY (point, ts)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, payload BLOB);
"""


def opened(data: bytes, terminal: str, secret: bytes) -> list[list[object]]:
    """The records of a frame whose tag is right. Raises ValueError."""
    protected, _, payload, tag = cbor2.loads(data).value
    aad = mac.external_aad(terminal, limits.UP, limits.VERSION)
    signed = cbor2.dumps(["MAC0", protected, aad, payload])
    if not hmac.compare_digest(hmac.digest(secret, signed, "sha256"), tag):
        raise ValueError("a tag is wrong")
    found: list[list[object]] = cbor2.loads(payload)[4]
    return found


def rows_of(terminal: str, records: list[list[object]]) -> list[tuple[object, ...]]:
    """A row a reading."""
    rows: list[tuple[object, ...]] = []
    for _, _, body in records:
        start_s, readings = body[0], body[8]  # type: ignore[index]
        for number, values in enumerate(readings, start=1):
            mean, below, above, e_import = values[3:7]
            row = (f"{terminal}-{number}", start_s * 1000, mean, mean - below, mean + above, e_import)
            rows.append((*row, json.dumps(values[7:])))
    return rows


def forward(file: str, port: int) -> None:
    """Send what is in the outbox, for ever; what the platform has is deleted."""
    store = sqlite3.connect(file, isolation_level=None, timeout=30)
    store.execute("PRAGMA synchronous = FULL")
    client = paho.Client(CallbackAPIVersion.VERSION2, "naive-up", clean_session=False)
    client.max_inflight_messages_set(BATCH)
    client.connect_async("127.0.0.1", port)
    client.reconnect_delay_set(1, 1)
    client.loop_start()
    pause = threading.Event()
    while True:
        rows = store.execute("SELECT id, payload FROM outbox ORDER BY id LIMIT ?", (BATCH,)).fetchall()
        if not rows or not client.is_connected():
            pause.wait(0.01)
            continue
        for sent in [client.publish("platform", payload, qos=1) for _, payload in rows]:
            sent.wait_for_publish()
        store.execute("DELETE FROM outbox WHERE id <= ?", (rows[-1][0],))


def main() -> None:
    """See above."""
    broker_port, platform_port, file, secret = (
        int(sys.argv[1]),
        int(sys.argv[2]),
        sys.argv[3],
        bytes.fromhex(sys.argv[4]),
    )
    store = sqlite3.connect(file, isolation_level=None, timeout=30)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.executescript(SCHEMA)
    arrived: queue.Queue[paho.MQTTMessage] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, "naive", clean_session=False, manual_ack=True)
    client.on_connect = lambda *_: client.subscribe("wattline/up/+", qos=1)  # type: ignore[assignment]
    client.on_message = lambda _client, _data, message: arrived.put(message)
    client.connect("127.0.0.1", broker_port)
    client.loop_start()
    threading.Thread(target=forward, args=(file, platform_port), daemon=True).start()
    while True:
        batch = [arrived.get()]
        while len(batch) < BATCH and not arrived.empty():
            batch.append(arrived.get())
        rows, payloads = [], []
        for message in batch:
            terminal = message.topic.rpartition("/")[2]
            found = rows_of(terminal, opened(bytes(message.payload), terminal, secret))
            rows += found
            payloads.append((json.dumps([{"point": row[0], "ts": row[1], "values": row[2:]} for row in found]),))
        store.execute("BEGIN IMMEDIATE")
        store.executemany("INSERT OR IGNORE INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        store.executemany("INSERT INTO outbox (payload) VALUES (?)", payloads)
        store.execute("COMMIT")
        for message in batch:
            client.ack(message.mid, 1)


if __name__ == "__main__":
    main()
