"""A console that people log in to by a provider."""

import itertools
from pathlib import Path
from typing import Any

import msgspec

from gateway.console import users
from gateway.console.app import Console
from gateway.console.house import House
from gateway.console.oidc import Provider
from gateway.console.settings import OidcConfig
from gateway.console.sign_on import Names
from tests.gateway.console.support import Steady, folder_of
from tests.gateway.support import Sender, StillClock

SECRET = "a secret of sixteen"


def settings(folder: Path, issuer: str, **more: Any) -> OidcConfig:
    secret = folder / "oidc.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    groups = {"viewers": "power-viewers", "operators": "power-operators", "admins": "power-admins"}
    given = {
        "issuer": issuer,
        "client_id": "console",
        "client_secret_file": str(secret),
        "address": "http://127.0.0.1/",
    }
    return OidcConfig(**(given | groups | more))


def console(folder: Path, oidc: OidcConfig, steady: Steady | None = None, provider: Names | None = None) -> Console:
    config = folder_of(folder, Sender())
    config = msgspec.structs.replace(config, console=msgspec.structs.replace(config.console, oidc=oidc))
    counter = itertools.count()
    house = House(config, folder / "gateway.toml", StillClock())
    known = users.load(folder / "users.toml")
    return Console(
        house,
        known,
        steady or Steady(),
        lambda size: next(counter).to_bytes(size, "big"),
        provider=provider or Provider(oidc),
    )
