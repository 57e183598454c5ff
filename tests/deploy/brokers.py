"""Brokers by the configurations that an operator copies."""

import base64
import hashlib
import os
import shutil
from pathlib import Path

from gateway.pki.authority import PEM
from hil.authority import Authority
from hil.ports import free_port
from tests.gateway.support import ROOT

DEPLOY = ROOT / "deploy"
PASSWORD = "a-password"
FORMS = ("one-machine", "several-machines")


def hashed(password: str) -> str:
    """As mosquitto_passwd writes it: PBKDF2 with SHA-512, 101 rounds."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def place_broker(folder: Path, form: str) -> tuple[Path, int, int]:
    """mosquitto.conf of this form with its files below the folder; the gateway's port, the terminals'."""
    authority = Authority()
    certs = folder / "certs"
    certs.mkdir()
    (certs / "ca.crt").write_bytes(authority.own.certificate_bytes(PEM))
    for name, file in (("localhost", certs / "broker"), *((one, folder / one) for one in ("T0001", "T0002"))):
        issued = authority.issue(name)
        file.with_name(f"{file.name}.crt").write_bytes(issued.certificate_bytes(PEM))
        file.with_name(f"{file.name}.key").write_bytes(issued.key_bytes(PEM))
    shutil.copyfile(DEPLOY / form / "wattline.acl", folder / "wattline.acl")
    (folder / "wattline.passwd").write_text(f"gateway:{hashed(PASSWORD)}\n")
    inner, outer = free_port(), free_port()
    text = (DEPLOY / form / "mosquitto.conf").read_text(encoding="utf-8")
    for old, new in (
        ("/etc/mosquitto/", f"{folder}/"), ("/var/lib/mosquitto/", f"{folder}/"),
        ("listener 1883", f"listener {inner}"), ("listener 8883", f"listener {outer} 127.0.0.1"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    text = text.replace(f"listener {inner}\n", f"listener {inner} 127.0.0.1\n")
    config = folder / "mosquitto.conf"
    config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""), encoding="utf-8")
    return config, inner, outer
