# The vectors of protocol/vectors against the shared codec, on every interpreter that runs it (FR-50).
# mypy: allow-any-generics, no-warn-return-any
import gc
import json

import protocol
from protocol import ack, down, frame, mac, record
from protocol.errors import FrameError
from protocol.host import orders

FOLDER = protocol.__file__.replace("__init__.py", "") + "vectors/"

READING = (
    "first_s", "last_s", "run_s", "p_mean_w", "p_min_w", "p_max_w", "e_import_wh", "e_export_wh", "r_import_varh",
    "r_export_varh", "ua_dv", "ub_dv", "uc_dv", "ia_ma", "ib_ma", "ic_ma", "pf_milli", "flags", "missed", "q_mean_var",
)  # fmt: skip
WINDOW = ("start_s", "length_s", "boot", "end_uptime_s", "clock_source", "clock_error_s", "samples_due")
DOWN = (
    "generation", "epoch", "version", "document", "vouched", "signed", "number", "offset", "content", "offered",
    "point",
)  # fmt: skip
EVENT = ("time_s", "boot", "uptime_s", "clock_source", "clock_error_s", "code", "point", "values")


def vectors(name: str) -> list:
    gc.collect()
    with open(FOLDER + name) as file:
        return json.load(file)["vectors"]


def keys_of(vector: dict) -> dict:
    return {int(g): mac.Key(bytes.fromhex(secret), int(g)) for g, secret in vector["keys"].items()}


def plain_slot(slot: object) -> object:
    if not isinstance(slot, tuple):
        return slot
    return {name: getattr(slot, name) for name in READING if getattr(slot, name) is not None}


def plain_record(one: record.Record) -> dict:
    names = WINDOW if one.type == record.WINDOW else EVENT
    body = {name: getattr(one.body, name) for name in names}
    if one.type == record.WINDOW:
        body["readings"] = [plain_slot(slot) for slot in one.body.readings]
    return {"seq": one.seq, "type": one.type, "body": body}


def plain_frame(one: frame.Frame) -> dict:
    content = {name: getattr(one, name) for name in ("generation", "epoch", "boot_id", "sent_ms")}
    content["records"] = [plain_record(each) for each in one.records]
    return content


def plain_down(one) -> dict:  # type: ignore[no-untyped-def]
    if isinstance(one, ack.Ack):
        return plain_ack(one)
    content = {}
    for name in DOWN:
        if hasattr(one, name):
            value = getattr(one, name)
            content[name] = value.hex() if isinstance(value, bytes) else value
    content["echo"] = list(one.echo)
    if isinstance(one, down.Request):
        content["ranges"] = [list(each) for each in one.ranges]
    return content


def plain_ack(one: ack.Ack) -> dict:
    content = {name: getattr(one, name) for name in ("generation", "epoch", "time_ms")}
    content["durable"] = [list(each) for each in one.durable]
    content["refused"] = [list(each) for each in one.refused]
    content["echo"] = None if one.echo is None else list(one.echo)
    return content


def open_frame(vector: dict) -> dict:
    return plain_frame(frame.open_frame(bytes.fromhex(vector["hex"]), vector["terminal"], keys_of(vector)))


def open_down(vector: dict) -> dict:
    return plain_down(down.open_down(bytes.fromhex(vector["hex"]), vector["terminal"], keys_of(vector)))


def open_record(vector: dict) -> dict:
    return plain_record(record.decode_record(bytes.fromhex(vector["hex"])))


def outcome(vector: dict, open_one: object) -> dict:
    try:
        return {"result": "valid", "content": open_one(vector)}  # type: ignore[operator]
    except FrameError as error:
        return {"result": "invalid", "verdict": error.verdict, "reason": error.reason, "offset": error.offset}


def hold(name: str, open_one: object) -> None:
    """Every vector of a file has the outcome that it says."""
    for vector in vectors(name):
        got = outcome(vector, open_one)
        wanted = {key: vector[key] for key in got if key in vector}
        assert got == wanted, f"{vector['id']} ({vector['comment']}): {got}, not {wanted}"


def window_of(body: dict) -> record.Window:
    slots = [
        record.Reading(*[slot.get(name) for name in READING]) if isinstance(slot, dict) else slot
        for slot in body["readings"]
    ]
    return record.Window(*([body[name] for name in WINDOW] + [slots]))


def test_frames_that_are_taken() -> None:
    # FR-10 FR-12 FR-13 FR-22 FR-23 FR-24 FR-26 FR-28 FR-29 FR-31 FR-42 FR-43
    hold("frames_valid.json", open_frame)


def test_frames_refused_for_what_surrounds_the_payload() -> None:
    # FR-01 FR-03 FR-10 FR-11 FR-12 FR-13 FR-14 FR-15 FR-40 FR-51
    hold("frames_envelope.json", open_frame)


def test_frames_refused_for_the_type_of_an_item() -> None:
    # FR-01 FR-02 FR-04 FR-41
    hold("frames_types.json", open_frame)


def test_frames_refused_for_their_content() -> None:
    # FR-01 FR-03 FR-04 FR-21 FR-27 FR-28 FR-30 FR-42 FR-43 FR-44 FR-51
    hold("frames_content.json", open_frame)


def test_acks() -> None:
    # FR-33 FR-34 FR-35 FR-37
    hold("acks.json", open_down)


def test_requests() -> None:
    # FR-34 FR-37 FR-38
    hold("requests.json", open_down)


def test_configurations() -> None:
    # FR-37 FR-46
    hold("configurations.json", open_down)


def test_updates() -> None:
    # FR-37 FR-82 FR-83 FR-84
    hold("updates.json", open_down)


def test_keys_and_certificates() -> None:
    # FR-37 FR-91 FR-93 FR-95
    hold("keys.json", open_down)


def test_records() -> None:
    # FR-03 FR-20 FR-21 FR-23 FR-25 FR-30
    hold("records.json", open_record)


def test_records_are_encoded_as_the_vectors_say() -> None:
    # FR-20 FR-27 FR-28 FR-30
    for vector in vectors("records.json"):
        if vector["result"] == "valid":
            content = vector["content"]
            body = content["body"]
            if content["type"] == record.WINDOW:
                data = record.encode_window(content["seq"], window_of(body))
            else:
                data = record.encode_event(content["seq"], record.Event(*[body[name] for name in EVENT]))
            assert data == bytes.fromhex(vector["hex"]), vector["id"]


def test_frames_are_sealed_as_the_vectors_say() -> None:
    # FR-10 FR-11 FR-13
    for vector in vectors("frames_valid.json"):
        data = bytes.fromhex(vector["hex"])
        keys = keys_of(vector)
        one = frame.open_frame(data, vector["terminal"], keys)
        raws = [each.raw for each in one.records]
        sealed = frame.seal_frame(keys[one.generation], vector["terminal"], one.epoch, one.boot_id, one.sent_ms, raws)
        assert sealed == data, vector["id"]


def test_acks_are_sealed_as_the_vectors_say() -> None:
    # FR-33
    for vector in vectors("acks.json"):
        if vector["result"] == "valid":
            c = vector["content"]
            key = keys_of(vector)[c["generation"]]
            data = ack.seal_ack(
                key, vector["terminal"], c["epoch"], c["durable"], c["refused"], c["time_ms"], c["echo"]
            )
            assert data == bytes.fromhex(vector["hex"]), vector["id"]


def test_requests_and_configurations_are_sealed_as_the_vectors_say() -> None:
    # FR-38 FR-46
    for vector in vectors("requests.json"):
        if vector["result"] == "valid":
            c = vector["content"]
            key = keys_of(vector)[c["generation"]]
            data = orders.seal_request(key, vector["terminal"], c["epoch"], c["ranges"], c["echo"])
            assert data == bytes.fromhex(vector["hex"]), vector["id"]
    for vector in vectors("configurations.json"):
        if vector["result"] == "valid":
            c = vector["content"]
            key = keys_of(vector)[c["generation"]]
            document = bytes.fromhex(c["document"])
            data = orders.seal_configuration(key, vector["terminal"], c["version"], document, c["echo"])
            assert data == bytes.fromhex(vector["hex"]), vector["id"]
