"""A provider that lies, is damaged, or is silent: forged ID tokens, answers of any shape, threads that wait."""

import asyncio
import gzip
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from joserfc.util import urlsafe_b64encode

from gateway.console import oidc, sign_on
from gateway.console.audit import FILE, Audit
from gateway.console.oidc import ANSWER_BYTES_MAX, Provider
from gateway.console.rates import Rate
from gateway.console.sign_on import Begun, OidcError
from gateway.console.users import Role, User
from tests.gateway.console.providers import SECRET, console, settings
from tests.gateway.console.support import Browser

KEY, OTHER = ECKey.generate_key("P-256", auto_kid=True), ECKey.generate_key("P-256", auto_kid=True)
BEGUN = Begun("", "state", "nonce", "verifier")
HOUR_S = 3600
Claims = dict[str, Any]


def signed(claims: Claims, key: ECKey | OctKey = KEY, algorithm: str = "ES256") -> str:
    return jwt.encode({"alg": algorithm, "kid": KEY.kid}, claims, key, algorithms=[algorithm])


def unsigned(claims: Claims) -> str:
    parts = [urlsafe_b64encode(json.dumps(one).encode()).decode() for one in ({"alg": "none"}, claims)]
    return ".".join([*parts, ""])


@contextmanager
def liar(answers: dict[str, Any]) -> Iterator[str]:
    """A provider that answers so by path, as JSON, or what is bytes compressed; its issuer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = answers[self.path]
            data = gzip.compress(given) if isinstance(given, bytes) else json.dumps(given).encode()
            self.send_response(200)
            if isinstance(given, bytes):
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815  (http.server's name)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    issuer = f"http://127.0.0.1:{server.server_address[1]}"
    ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
    document = {"issuer": issuer} | {name: issuer + path for name, path in ends.items()}
    answers["/.well-known/openid-configuration"] = document | answers.pop("document", {})
    answers.setdefault("/keys", {"keys": [KEY.as_dict(private=False)]})
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def finished(folder: Path, changed: Claims, sign: Callable[[Claims], str] = signed, **answers: Any) -> User:
    """Who is let in with an ID token of these claims; a claim of None is left out."""
    with liar(answers) as issuer:
        now_s = int(time.time())
        times = {"iat": now_s, "exp": now_s + HOUR_S}
        claims = {
            "iss": issuer,
            "aud": "console",
            "sub": "wang",
            "nonce": "nonce",
            "groups": ["power-viewers"],
            **times,
        }
        claims = {name: value for name, value in (claims | changed).items() if value is not None}
        answers.setdefault("/token", {"access_token": "a", "token_type": "Bearer", "id_token": sign(claims)})
        return Provider(settings(folder, issuer)).finish(BEGUN, "code")


@pytest.mark.parametrize(
    "groups", ["power-viewers", ["power-viewers"], [{"name": "x"}, ["power-admins"], 7, "power-viewers"]]
)
def test_a_group_is_a_text_of_the_list_and_a_name_is_plain(tmp_path: Path, groups: Any) -> None:
    """P-379: a claim of any shape gives no more than the groups that stand in it."""
    name = "wang\n\x1b[31m\u202e"
    assert finished(tmp_path, {"groups": groups, "preferred_username": name}) == User(
        "oidc:wang  [31m  <wang>", Role.VIEWER
    )


def test_a_name_from_a_provider_never_stands_for_another_subject(tmp_path: Path) -> None:
    """P-446: whatever somebody calls himself there, the audit log has his `sub`, which nobody gets a second time."""
    names = [
        finished(tmp_path, {"sub": subject, "preferred_username": shown}).name
        for subject, shown in (("7", "wang"), ("8", "wang"), ("8", "7"), ("7", "7"), ("7", None))
    ]
    assert names == ["oidc:wang <7>", "oidc:wang <8>", "oidc:7 <8>", "oidc:7", "oidc:7"]


@pytest.mark.parametrize("shown", ["wang <7>", None])
def test_a_subject_that_is_written_like_another_one_is_not_that_one(tmp_path: Path, shown: str | None) -> None:
    """P-446: `sub` may have any character."""
    written = finished(tmp_path, {"sub": "wang <7>", "preferred_username": shown})
    assert written.name == "oidc:wang  7> <wang <7>>"


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "address", ["http://id.example/x", "https://elsewhere.example/x", "https://[x", "ftp://127.0.0.1/"]
)
def test_an_endpoint_that_is_read_on_the_way_or_elsewhere_is_not_asked(
    tmp_path: Path, endpoint: str, address: str
) -> None:
    """P-447: https, or loopback; of the issuer's host, or of one that the configuration names."""
    with pytest.raises(OidcError) as refused:
        finished(tmp_path, {}, document={endpoint: address})
    assert refused.value.reason == "provider"
    assert f"{endpoint} {address}" in str(refused.value)


def test_the_audit_log_names_the_host_that_the_configuration_lacks(tmp_path: Path) -> None:
    """P-447: where the login begins, which is all that an operator sees after a change of the provider."""
    with liar({"document": {"token_endpoint": "https://login.example/token"}}) as issuer:
        browser = Browser(console(tmp_path, settings(tmp_path, issuer)))
        answer = asyncio.run(browser.ask("GET", "/api/oidc/begin"))
    assert answer.headers["location"] == "/#/login?why=provider"
    with closing(Audit(tmp_path / "data")) as audit:
        (noted,) = audit.newest(10)
    assert noted.who.startswith("console.oidc.endpoint_hosts lacks login.example: token_endpoint https://login.example")


def test_an_endpoint_on_a_host_that_is_named_is_taken(tmp_path: Path) -> None:
    """P-447."""
    with liar({"document": {"authorization_endpoint": "https://login.example/authorize"}}) as issuer:
        begun = Provider(settings(tmp_path, issuer, endpoint_hosts=["login.example"])).begin()
    assert begun.url.startswith("https://login.example/authorize?")


def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """P-448: whichever of the three it is."""
    much = "x" * ANSWER_BYTES_MAX
    for answers in (
        {"document": {"more": much}},
        {"/token": {"id_token": much}},
        {"/keys": {"keys": [], "more": much}},
    ):
        with pytest.raises(OidcError, match="more than 1048576 bytes") as refused:
            finished(tmp_path, {}, **answers)
        assert refused.value.reason == "provider"


def test_an_answer_that_is_compressed_is_not_unpacked(tmp_path: Path) -> None:
    """P-448: a kilobyte of it may be a gigabyte."""
    answers: dict[str, Any] = {"/keys": b"{}"}
    with pytest.raises(OidcError, match="an answer that is compressed") as refused:
        finished(tmp_path, {}, **answers)
    assert refused.value.reason == "provider"


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"])
def test_an_answer_that_dribbles_ends_the_step(tmp_path: Path, begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """P-503: byte by byte without end, each sooner than a read would wait for; its head, or what follows."""
    monkeypatch.setattr(oidc, "STEP_S", 0.2)

    class Dribble(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # whoever asked is gone
                self.wfile.write(begin)
                while True:
                    self.wfile.write(b"H")
                    time.sleep(0.01)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Dribble)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with pytest.raises(OidcError, match=r"no whole answer in 0\.2 s") as refused:
            Provider(settings(tmp_path, f"http://127.0.0.1:{server.server_address[1]}")).begin()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert refused.value.reason == "provider"


@pytest.mark.parametrize(
    ("changed", "sign", "why"),
    [
        ({"iss": "https://elsewhere.example"}, signed, "claim: 'iss'"),
        ({"aud": "another"}, signed, "claim: 'aud'"),
        ({"aud": ["console", "another"], "azp": "another"}, signed, "claim: 'azp'"),
        ({"aud": None}, signed, "claim: 'aud'"),
        ({"exp": 1_000_000_000}, signed, "is expired"),
        ({"exp": None}, signed, "claim: 'exp'"),
        ({"iat": None}, signed, "claim: 'iat'"),
        ({"sub": None}, signed, "claim: 'sub'"),
        ({"nonce": "of another login"}, signed, "claim: 'nonce'"),
        ({"nonce": None}, signed, "claim: 'nonce'"),
        ({"at_hash": "of another token"}, signed, "claim: 'at_hash'"),
        ({}, unsigned, "'none' is not allowed"),
        ({}, lambda claims: signed(claims, OTHER), "bad_signature"),
        ({}, lambda claims: signed(claims, OctKey.import_key(SECRET), "HS256"), "'HS256' is not allowed"),
        ({}, lambda claims: signed(claims) + "x", "bad_signature"),
        ({}, lambda _: "no token", "decode_error"),
    ],
)
def test_a_forged_id_token_lets_nobody_in(
    tmp_path: Path, changed: Claims, sign: Callable[[Claims], str], why: str
) -> None:
    """P-379: issuer, audience, time, nonce and signature; "none" and the client's secret sign nothing."""
    with pytest.raises(OidcError) as refused:
        finished(tmp_path, changed, sign)
    assert refused.value.reason == "provider"
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"/token": {"error": "invalid_grant"}}, "denied"),
        ({"/token": {"access_token": "a", "token_type": "Bearer"}}, "provider"),
        ({"/token": [1]}, "provider"),
        ({"/keys": {"keys": 7}}, "provider"),
        ({"/keys": []}, "provider"),
        ({"document": {"token_endpoint": "http://127.0.0.1:x/"}}, "provider"),
        ({"document": {"jwks_uri": "file:///etc/passwd"}}, "provider"),
        ({"document": {"jwks_uri": 7}}, "provider"),
    ],
)
def test_an_answer_of_another_shape_lets_nobody_in(tmp_path: Path, answers: Any, reason: str) -> None:
    """P-379: whatever it says is told as such."""
    with pytest.raises(OidcError) as refused:
        finished(tmp_path, {}, **answers)
    assert refused.value.reason == reason


def test_an_address_that_is_none_begins_nothing(tmp_path: Path) -> None:
    """P-379: likewise."""
    with liar({"document": {"authorization_endpoint": "http://[x"}}) as issuer, pytest.raises(OidcError) as refused:
        Provider(settings(tmp_path, issuer)).begin()
    assert refused.value.reason == "provider"


class Silent:
    """A provider that answers when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()

    def begin(self) -> Begun:
        self.let.wait()
        raise OidcError("provider", "silent")

    def finish(self, begun: Begun, code: str) -> User:
        raise NotImplementedError


def test_a_silent_provider_holds_up_few_threads_and_no_local_login(tmp_path: Path) -> None:
    """P-379: so many wait for it at once; who comes then is told to wait, and the next one is let again."""

    async def play() -> None:
        served = console(tmp_path, settings(tmp_path, "http://127.0.0.1:1"), provider=(silent := Silent()))
        browser = Browser(served)
        waiting = [asyncio.create_task(Browser(served).ask("GET", "/api/oidc/begin")) for _ in range(9)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [one.result().headers["location"] for one in done] == ["/#/login?why=often"]
        assert (await browser.login("ada")).status_code == 200
        silent.let.set()
        ends = [(await one).headers["location"] for one in waiting]
        assert sorted(ends) == ["/#/login?why=often"] + ["/#/login?why=provider"] * sign_on.ASKING_MAX
        assert (await browser.ask("GET", "/api/oidc/begin")).headers["location"] == "/#/login?why=provider"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sign_on, "BEGIN", Rate(100, 1))
        asyncio.run(play())


def test_a_login_that_cannot_be_noted_is_none_and_says_why(tmp_path: Path) -> None:
    """P-379: an audit log that can't be used is a 503, as with each other change."""

    async def play() -> None:
        browser = Browser(console(tmp_path, settings(tmp_path, "http://127.0.0.1:1")))
        with closing(sqlite3.connect(tmp_path / "data" / FILE)) as connection:
            connection.execute("PRAGMA user_version = 99")
        answer = await browser.ask("GET", "/api/oidc/begin")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store")

    asyncio.run(play())
