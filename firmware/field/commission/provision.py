"""Identity, key, network, certificates and configuration onto a board, and the enrolment by which the gateway knows it.

The key is drawn here by the system's generator, goes to the board and, sealed to the gateway's public key, into the
enrolment: it is nowhere else, not in the session, the report, a log or a message. The enrolment is on the disk before
the board has the key, so that no board has a key that nobody can be told.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from firmware.field import files
from firmware.field.board import data
from firmware.field.board.link import Link
from firmware.field.commission import words
from firmware.field.commission.session import time_text
from firmware.field.commission.work import Work
from firmware.field.outcome import REFUSED, Finding, Outcome, failed, passed
from firmware.field.site import Site, certificates, gateway_entries, terminal_files
from firmware.field.site.plan import Network, Terminal
from protocol import mac, update
from protocol.host import commissioning, sealing, signed

STEP = "provision"
_WHOSE = """
import json
try:
    with open({path!r}) as file:
        print(json.load(file)["terminal"])
except (OSError, ValueError, KeyError):
    print("")
"""


def drawn_key() -> bytes:
    """A terminal's key, of the system's CSPRNG."""
    return secrets.token_bytes(mac.KEY_BYTES)


def run(link: Link, work: Work, generation: int = 1) -> Outcome:
    """Provision the board; the enrolment for the gateway is made anew. Raises BoardError, OSError, ValueError."""
    terminal = work.terminal
    folder = data.mounted(link)
    whose = link.run(_WHOSE.format(path=f"{folder}/terminal.json")).decode().strip()
    if whose not in {"", terminal.id} and not work.erase:
        return failed(STEP, _other_terminal(whose), bad_status=REFUSED)
    wanted = files_of(work.site, terminal)
    secret = drawn_key()
    wanted["key"] = json.dumps({"generation": generation, "secret": secret.hex()}).encode()
    body = _enrolment(work, generation, secret)
    enrolment = signed.sign(commissioning.ENROLMENT, body, work.signer.name, work.signer.key)
    files.write(work.file("enrolment.json"), enrolment, 0o600)
    if work.erase:
        data.clear(link, folder)
    for name, content in wanted.items():
        work.tell(f"{name}: {len(content)} bytes / 字节")
        link.write(f"{folder}/{name}", content)
    wrong = _not_as_wanted(link.digests(data.mounted(link)), folder, wanted)
    if wrong:
        return failed(STEP, _not_verified(wrong), bad_status=REFUSED)
    return passed(
        STEP,
        words.enrolment(work.file("enrolment.json").name),
        enrolment=commissioning.digest(body),
        enrolment_file=work.file("enrolment.json").name,
        generation=generation,
        files={name: len(content) for name, content in wanted.items()},
    )


def files_of(site: Site, terminal: Terminal) -> dict[str, bytes]:
    """What lies on the terminal's flash, by name, but for its key. Raises OSError, ValueError."""
    broker, network = site.broker(terminal), site.network(terminal)
    made = terminal_files.configuration_of(terminal, broker, site.plan.sntp)
    found = {"terminal.json": json.dumps(made, ensure_ascii=False).encode()}
    if network is not None:
        found["network.json"] = json.dumps(_network(site, network), ensure_ascii=False).encode()
    if site.plan.gateway.update_keys is not None:
        found[update.KEYS_NAME] = site.file(site.plan.gateway.update_keys).read_bytes()
    return found | certificates.files_of(site.path.parent, terminal, broker)


def planned(work: Work) -> str:
    """SHA-256, in hex, of what of the plan the terminal and the gateway measure by; no secret is in it."""
    site, terminal = work.site, work.terminal
    made = terminal_files.configuration_of(terminal, site.broker(terminal), site.plan.sntp)
    points = gateway_entries.points_of(terminal, site.profiles)
    return hashlib.sha256(signed.canonical({"configuration": made, "points": points})).hexdigest()


def _network(site: Site, network: Network) -> dict[str, str]:
    return terminal_files.network_of(network.ssid, terminal_files.password_in(site.file(network.password_file)))


def _enrolment(work: Work, generation: int, secret: bytes) -> dict[str, Any]:
    site, terminal = work.site, work.terminal
    enterprise = site.plan.enterprise
    known = {"id": enterprise.id, "name": enterprise.name}
    gateway_key = bytes.fromhex(site.plan.gateway.sealing_key)
    return {
        "terminal": terminal.id,
        "enterprise": known if enterprise.address is None else known | {"address": enterprise.address},
        "place": terminal.place,
        "board": terminal.board,
        "made": time_text(work.now()),
        "generation": generation,
        "sealed_key": sealing.seal(secret, gateway_key, terminal.id, generation).hex(),
        "points": gateway_entries.points_of(terminal, site.profiles),
    }


def _not_as_wanted(there: Mapping[str, str], folder: str, wanted: Mapping[str, bytes]) -> list[str]:
    """The files whose content on the board is another one."""
    return [name for name, data in wanted.items() if there.get(f"{folder}/{name}") != hashlib.sha256(data).hexdigest()]


def _other_terminal(whose: str) -> Finding:
    return Finding(
        "other_terminal",
        f"this board is terminal {whose}, and may hold records that nobody has yet",
        f"此板属于终端 {whose}，可能还存有未上报的记录",
        "the right board? If it is to become another terminal, and its records are not wanted: --erase",
        "请确认是否拿错；若确要改作其他终端且不保留其记录，请加 --erase",
    )


def _not_verified(names: list[str]) -> Finding:
    text = ", ".join(names)
    return Finding(
        "not_verified",
        f"on the board is not what was written: {text}",
        f"板上内容与写入内容不一致: {text}",
        "provision again; if it stays, the flash is worn: take another board",
        "请重新写入；若仍不一致则存储已损坏，请换板",
    )
