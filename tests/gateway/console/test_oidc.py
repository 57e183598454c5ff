"""Login by an OpenID Connect provider: a real one, as a server of its own on loopback."""

import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from gateway import config as configuration
from gateway.console.audit import Audit
from gateway.console.oidc import Provider
from gateway.console.sign_on import LASTS_S, OidcError
from gateway.files import write_secret
from hil.ports import free_port
from hil.process import Process
from protocol.host.strict import ConfigError
from tests.gateway.console.providers import SECRET, console, settings
from tests.gateway.console.support import Browser, Steady, folder_of
from tests.gateway.support import Sender

GROUPS = {
    "wang": ["power-operators", "staff"],
    "li": ["power-admins", "power-viewers"],
    "zhao": ["staff"],
    "one": "power-viewers",
}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    people = [{"sub": name, "preferred_username": name, "groups": groups} for name, groups in GROUPS.items()]
    known = [word for one in people for word in ("--user-claims", json.dumps(one))]
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", *known]
    process = Process("provider", command, tmp_path_factory.mktemp("provider") / "provider.log")
    process.start()
    with process:
        process.wait_for_line("Uvicorn running", 60)
        yield f"http://127.0.0.1:{port}"


def agreed(url: str, who: str | None) -> str:
    """What the provider sends the browser back to once this person has logged in there; None: refused."""
    form = {"sub": who} if who else {"action": "deny"}
    answer = httpx2.post(url, data=form, follow_redirects=False)
    assert answer.status_code in {302, 303}, answer.text
    return answer.headers["location"]


async def begun(browser: Browser) -> str:
    answer = await browser.ask("GET", "/api/oidc/begin")
    assert answer.status_code == 303
    return answer.headers["location"]


async def back(browser: Browser, address: str) -> str:
    """The browser comes back; where it is sent on to."""
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.path) == ("http", "127.0.0.1", "/api/oidc/callback")
    answer = await browser.ask("GET", f"{parts.path}?{parts.query}")
    assert answer.status_code == 303
    return answer.headers["location"]


async def login(browser: Browser, who: str | None) -> str:
    return await back(browser, agreed(await begun(browser), who))


@pytest.mark.parametrize(("who", "role"), [("wang", "operator"), ("li", "admin"), ("one", "viewer")])
def test_who_the_provider_knows_is_logged_in_with_the_role_of_the_group(
    tmp_path: Path, issuer: str, who: str, role: str
) -> None:
    """P-379: the code flow with PKCE, state and nonce; the local login remains, and both are in the audit log."""

    async def play() -> None:
        browser = Browser(console(tmp_path, settings(tmp_path, issuer)))
        assert (await browser.ask("GET", "/api/oidc")).json() == {"name": "OpenID Connect"}
        assert (await browser.ask("GET", "/api/me")).status_code == 401
        assert await login(browser, who) == "/"
        me = (await browser.ask("GET", "/api/me")).json()
        assert (me["name"], me["role"]) == (f"oidc:{who}", role)
        assert (await browser.login("ada")).json()["role"] == "admin"

    asyncio.run(play())
    with closing(Audit(tmp_path / "data")) as audit:
        notes = [(one.who, one.action.split()[1], one.status) for one in audit.newest(10)]
    assert notes == [("ada", "/api/login", 200), (f"oidc:{who}", "/api/oidc/callback", 200)]


def test_what_is_asked_of_the_provider_can_be_answered_to_us_alone(tmp_path: Path, issuer: str) -> None:
    """P-379: state, nonce and challenge are new each time, and the verifier stays here."""
    provider = Provider(settings(tmp_path, issuer))
    one, other = provider.begin(), provider.begin()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(one.url).query).items()}
    digest = base64.urlsafe_b64encode(hashlib.sha256(one.verifier.encode()).digest()).rstrip(b"=").decode()
    assert (asked["code_challenge_method"], asked["code_challenge"]) == ("S256", digest)
    assert (asked["state"], asked["nonce"], asked["response_type"]) == (one.state, one.nonce, "code")
    assert one.verifier not in one.url
    assert SECRET not in one.url
    assert len({*one[1:], *other[1:]}) == 6
    code = parse_qs(urlsplit(agreed(one.url, "wang")).query)["code"][0]
    with pytest.raises(OidcError) as refused:  # a code that was got for another login, with another nonce
        provider.finish(other, code)
    assert refused.value.reason == "provider"
    assert "nonce" in str(refused.value)
    with pytest.raises(OidcError) as again:  # and it is used up
        provider.finish(one, code)
    assert again.value.reason == "denied"


def test_whoever_may_not_is_not_logged_in_and_is_told_why(tmp_path: Path, issuer: str) -> None:
    """P-379: in no group, refused there, an answer to nobody's question, a second time, too late, too often."""
    steady = Steady()

    async def play() -> None:
        served = console(tmp_path, settings(tmp_path, issuer), steady)
        browser, other = Browser(served), Browser(served)
        assert await login(browser, "zhao") == "/#/login?why=group"
        assert await login(browser, None) == "/#/login?why=denied"
        address = agreed(await begun(browser), "wang")
        assert await back(other, address) == "/#/login?why=state"
        assert await back(browser, address.replace("state=", "state=x")) == "/#/login?why=state"
        assert await back(browser, address) == "/#/login?why=state"
        address = agreed(await begun(browser), "wang")
        steady.now_s += LASTS_S + 1
        assert await back(browser, address) == "/#/login?why=state"
        assert await back(browser, "http://127.0.0.1/api/oidc/callback?code=%00&state=%F0") == "/#/login?why=state"
        answers = [await browser.ask("GET", "/api/oidc/begin") for _ in range(20)]
        assert answers[-1].headers["location"] == "/#/login?why=often"
        assert (await browser.ask("GET", "/api/me")).status_code == 401

    asyncio.run(play())


@pytest.mark.parametrize("wrong", ["http://127.0.0.1:{port}", "{issuer}/", "{issuer}/jwks"])
def test_a_provider_that_is_away_or_another_one_keeps_nobody_from_the_local_login(
    tmp_path: Path, issuer: str, wrong: str
) -> None:
    """P-379: nobody there; one that calls itself otherwise; no provider at all."""

    async def play(address: str) -> None:
        browser = Browser(console(tmp_path, settings(tmp_path, address)))
        answer = await browser.ask("GET", "/api/oidc/begin")
        assert answer.headers["location"] == "/#/login?why=provider"
        assert (await browser.login("ada")).status_code == 200

    asyncio.run(play(wrong.format(issuer=issuer, port=free_port())))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("https://id.example", "http://id.example", "console.oidc.issuer"),
        ("https://power.example/", "http://power.example/", "console.oidc.address"),
        ("https://power.example/", "https://power.example", "console.oidc.address"),
        ("https://id.example", "https://[id.example", "console.oidc.issuer"),
        ("https://power.example/", "https://[power.example/", "console.oidc.address"),
        ('admins = "a"', "", "console.oidc.viewers"),
        ('admins = "a"', 'admins = "a"\nendpoint_hosts = ["https://login.example"]', "console.oidc.endpoint_hosts[0]"),
        ('admins = "a"', 'admins = "a"\nendpoint_hosts = ["Login.example"]', "console.oidc.endpoint_hosts[0]"),
        ('"oidc.', '"none.', "console.oidc.client_secret_file"),
    ],
)
def test_a_provider_that_could_not_be_trusted_is_refused_by_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    """P-379: before anything listens."""
    folder_of(tmp_path, Sender())
    text = '[console.oidc]\nissuer = "https://id.example"\nclient_id = "c"\nadmins = "a"\n'
    text += 'address = "https://power.example/"\nclient_secret_file = "oidc.secret"\n'
    write_secret(tmp_path / "oidc.secret", SECRET)
    config = tmp_path / "gateway.toml"
    before = config.read_text()
    config.write_text(before + text)
    assert configuration.load(config).console.oidc is not None
    config.write_text(before + text.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        configuration.load(config)
    assert [one.key for one in refused.value.problems] == [key]
