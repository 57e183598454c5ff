"""[console] of gateway.toml: the console, and who lets people in beside users.toml."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from protocol.host.strict import Problem
from protocol.host.tables import Section, Text

Host = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9._-]{1,253}$",
        description="a host in small letters, as login.example.org, without https:// and port / 小写主机名",
    ),
]
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class OidcConfig(Section, frozen=True, kw_only=True):
    """[console.oidc]: login by an OpenID Connect provider too; needs: pip install 'wattline[oidc]'."""

    issuer: Text  # as the provider writes it; https:, or http: on this machine
    # names of other machines that it has its endpoints on: else all must be the issuer's
    endpoint_hosts: list[Host] = msgspec.field(default_factory=list)
    client_id: Text  # as the console is registered there, with ADDRESSapi/oidc/callback as its redirect address
    client_secret_file: Text  # readable by the gateway's user only
    address: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,200}/$",
            description="the console's address in browsers, as https://power.example.org/ / 浏览器中的控制台地址",
        ),
    ]
    name: Text = "OpenID Connect"  # on the button
    name_claim: Text = "preferred_username"
    groups_claim: Text = "groups"
    viewers: Text | None = None  # the group whose members may look; of several the highest role counts
    operators: Text | None = None
    admins: Text | None = None
    tls_ca_file: Text | None = None  # given: the provider's certificate must be from this authority


class ConsoleConfig(Section, frozen=True):
    """[console]: the web console (`wattline gateway console`)."""

    users: Text | None = None  # users.toml: who may log in (gateway/console/users.py)
    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"  # a reverse proxy with TLS brings it to others
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9213  # 0: any free one, named in the ready line
    hosts: list[Text] = msgspec.field(default_factory=lambda: ["127.0.0.1", "localhost", "[::1]"])  # it is reached by
    https: bool = False  # a proxy brings it by HTTPS: cookies go by that alone
    session_h: Annotated[int, msgspec.Meta(ge=1, le=168)] = 12
    connections_max: Annotated[int, msgspec.Meta(ge=10, le=10_000)] = 200
    utc_offset_h: Annotated[int, msgspec.Meta(ge=-12, le=14)] = 8  # of the times that are shown
    oidc: OidcConfig | None = None


def console_problems(path: Path, console: ConsoleConfig) -> list[Problem]:
    """What is wrong between its keys. path: of gateway.toml."""
    oidc = console.oidc
    if oidc is None:
        return []
    problems = []
    for key, address in (("issuer", oidc.issuer), ("address", oidc.address)):
        if not is_safe(address):
            text = f"{address}: anybody on the way can read it / 明文; allowed / 允许: https:, http: on loopback"
            problems.append(Problem(path, f"console.oidc.{key}", text))
    if not (oidc.viewers or oidc.operators or oidc.admins):
        text = "no group: nobody could log in / 未配置任何组; allowed / 允许: viewers, operators, admins"
        problems.append(Problem(path, "console.oidc.viewers", text))
    return problems


def is_safe(address: str) -> bool:
    """Whether nobody on the way can read what goes there: https:, or http: on this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket without its other one
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
