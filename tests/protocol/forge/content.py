"""What the vectors carry: contents as JSON has them, and their items on the wire, worked out from SPEC.md."""

from typing import Any

from tests.protocol.forge.tree import Item, item

Content = dict[str, Any]

ENERGIES = ("e_import_wh", "e_export_wh", "r_import_varh", "r_export_varh")
VOLTAGES = ("ua_dv", "ub_dv", "uc_dv")
PLAIN = ("first_s", "last_s", "run_s", "flags", "missed")  # always there; the others may be absent
POWER_MAX = 2**31 - 1
UINT53 = 2**53 - 1
UINT32 = 2**32 - 1


def reading(**values: int) -> Content:
    """A reading of which nothing is known but that it was there all the time, with what is given."""
    return {"first_s": 0, "last_s": 0, "run_s": 900, "flags": 0, "missed": 0, **values}


def three_phase(k: int = 0) -> Content:
    """A feeder of a steel plant: three phases, energies of some years."""
    p = (132_000, 88_000, 45_000, 30_000, 22_000, 15_000, 11_000, 7_500, 4_000)[k % 9]
    i = p * 10 // 6
    return reading(
        first_s=2 + k // 3, last_s=3 + k // 4, p_mean_w=p, p_min_w=p - 1_520, p_max_w=p + 2_117,
        e_import_wh=p * 3_360, e_export_wh=0, r_import_varh=p * 1_680, r_export_varh=p * 37,
        ua_dv=2_203, ub_dv=2_198 + k, uc_dv=2_211, ia_ma=i, ib_ma=i + 900, ic_ma=i - 1_100, pf_milli=905,
    )  # fmt: skip


def window(seq: int, slots: list[Any], **values: Any) -> Content:
    """A window's record; a slot is None, an integer or a reading."""
    body = {
        "start_s": 1_767_225_600, "length_s": 900, "boot": 12, "end_uptime_s": 400_000, "clock_source": 3,
        "clock_error_s": 1, "samples_due": 180, "readings": slots, **values,
    }  # fmt: skip
    return {"seq": seq, "type": 1, "body": body}


def event(seq: int, code: int, values: list[int], **others: Any) -> Content:
    """An event's record."""
    body = {
        "time_s": 1_767_225_700, "boot": 12, "uptime_s": 400_100, "clock_source": 3, "clock_error_s": 1,
        "code": code, "point": None, "values": values, **others,
    }  # fmt: skip
    return {"seq": seq, "type": 2, "body": body}


def frame(records: list[Content], **values: int) -> Content:
    """A frame's content."""
    return {"generation": 1, "epoch": 0xDEADBEEF, "boot_id": 12, "sent_ms": 400_000_123, **values, "records": records}


def ack(durable: list[list[int]], refused: list[list[int]], **values: Any) -> Content:
    """An ack's content."""
    fixed = {"generation": 1, "epoch": 0xDEADBEEF, "durable": durable, "refused": refused}
    return {**fixed, "time_ms": 1_767_225_600_123, "echo": [12, 400_000_123], **values}


def request(ranges: list[list[int]], **values: Any) -> Content:
    """A request's content."""
    return {"generation": 1, "epoch": 0xDEADBEEF, "ranges": ranges, "echo": [12, 400_000_123], **values}


def configuration(version: int, document: bytes, **values: Any) -> Content:
    """A configuration's content; the document in hex, as it need not be text."""
    return {"generation": 1, "version": version, "document": document.hex(), "echo": [12, 400_000_123], **values}


def offer(vouched: int, signed: bytes, **values: Any) -> Content:
    """An offer's content."""
    return {"generation": 1, "vouched": vouched, "signed": signed.hex(), "echo": [12, 400_000_123], **values}


def chunk(number: int, offset: int, content: bytes, **values: Any) -> Content:
    """A chunk's content."""
    fixed = {"generation": 1, "number": number, "offset": offset, "content": content.hex()}
    return {**fixed, "echo": [12, 400_000_123], **values}


def abort(number: int, **values: Any) -> Content:
    """An abort's content."""
    return {"generation": 1, "number": number, "echo": [12, 400_000_123], **values}


def key_offer(offered: int, point: bytes, **values: Any) -> Content:
    """An offer of a key's content."""
    return {"generation": 1, "offered": offered, "point": point.hex(), "echo": [12, 400_000_123], **values}


def key_use(**values: Any) -> Content:
    """What says that a key is to be used."""
    return {"generation": 1, "echo": [12, 400_000_123], **values}


def frame_item(content: Content) -> Item:
    """The payload that goes up."""
    records = [record_item(one) for one in content["records"]]
    return item([1, content["epoch"], content["boot_id"], content["sent_ms"], records])


def ack_item(content: Content) -> Item:
    """The payload of an ack."""
    c = content
    return item([1, 1, c["epoch"], c["durable"], c["refused"], c["time_ms"], c["echo"]])


def request_item(content: Content) -> Item:
    """The payload of a request."""
    return item([1, 2, content["epoch"], content["ranges"], content["echo"]])


def configuration_item(content: Content) -> Item:
    """The payload of a configuration."""
    return item([1, 3, content["version"], bytes.fromhex(content["document"]), content["echo"]])


def offer_item(content: Content) -> Item:
    """The payload of an offer."""
    return item([1, 4, content["vouched"], bytes.fromhex(content["signed"]), content["echo"]])


def chunk_item(content: Content) -> Item:
    """The payload of a chunk."""
    c = content
    return item([1, 5, c["number"], c["offset"], bytes.fromhex(c["content"]), c["echo"]])


def abort_item(content: Content) -> Item:
    """The payload of an abort."""
    return item([1, 6, content["number"], content["echo"]])


def key_offer_item(content: Content) -> Item:
    """The payload of an offer of a key."""
    return item([1, 7, content["offered"], bytes.fromhex(content["point"]), content["echo"]])


def key_use_item(content: Content) -> Item:
    """The payload of what says that a key is to be used."""
    return item([1, 8, content["echo"]])


def certificates_item(content: Content) -> Item:
    """The payload of certificates; their content is a configuration's."""
    return item([1, 9, content["version"], bytes.fromhex(content["document"]), content["echo"]])


def record_item(content: Content) -> Item:
    """One record."""
    body = content["body"]
    if content["type"] == 2:
        return item([content["seq"], 2, list(body.values())])
    slots = body["readings"]
    u_ref = next((slot[u] for slot in slots if isinstance(slot, dict) for u in VOLTAGES if u in slot), None)
    wire = [_slot(slot, u_ref, body["length_s"]) for slot in slots]
    fixed = [value for name, value in body.items() if name != "readings"]
    return item([content["seq"], 1, [*fixed, u_ref, wire]])


def _slot(slot: Any, u_ref: int | None, length_s: int) -> Any:
    if not isinstance(slot, dict):
        return slot
    mean, ia, pf = slot.get("p_mean_w"), slot.get("ia_ma"), slot.get("pf_milli")
    run: Any = {0: False, length_s: True}.get(slot["run_s"], slot["run_s"])
    items = [slot["first_s"], slot["last_s"], run, mean]
    items += [minus(mean, slot.get("p_min_w")), minus(slot.get("p_max_w"), mean)]
    items += [slot.get(name) for name in ENERGIES]
    items += [minus(slot.get(name), u_ref) for name in VOLTAGES]
    items += [ia, minus(slot.get("ib_ma"), ia), minus(slot.get("ic_ma"), ia), minus(1000, pf)]
    tail = [slot["flags"], slot["missed"], slot.get("q_mean_var")]
    while tail and not tail[-1] and not (len(tail) == 3 and tail[2] is not None):
        tail.pop()
    return items + tail


def minus(a: int | None, b: int | None) -> int | None:
    """a - b, absent where one is."""
    return None if a is None or b is None else a - b
