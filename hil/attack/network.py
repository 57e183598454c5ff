"""Someone on the network: between terminal and broker, or with a way to a port."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from gateway.intake.deliveries import DOWN, UP
from gateway.pki.authority import BEGIN, CLIENT, PEM, Authority, Issued
from hil.attack.client import Client
from hil.attack.house import ADMIN, HOST, OPERATOR, OWN, SPARE, STOLEN, USER_PASSWORD, WAIT_S, House
from hil.attack.move import Move, Observed
from hil.process import BenchError
from protocol import frame
from protocol.host import orders

WHO = "someone on the network"
ALTERED = 200  # frames with a bit turned round
GUESSES = 30  # of a password: the console slows down after a few
HELLO_MAX = 4_096  # of what a terminal says to a broker that it does not know
SETTLE_S = 3.0
TAKEN = "uplink: acknowledged by the gateway:"
IGNORED = "uplink: ack ignored:"  # as the terminal's log has it (terminal/answers.py)
ASKED, STALE = "uplink: asked for", f"{IGNORED} an order that answers nothing"
ABSENT = 999_999  # no frame in quarantine has this number: an order about it changes nothing
HTTP_S = 10.0


def _enters(house: House, issued: Issued | None, name: str = OWN) -> bool:
    """Whether the broker answers who has this certificate. Raises OSError for one that can't even be shown."""
    context = house.shows(issued)
    try:
        Client(house.port, name, context).close()
    except (OSError, TimeoutError):
        return False
    return True


def without_certificate(house: House) -> Observed:
    own, entered = _enters(house, house.stolen, STOLEN), _enters(house, None)
    return Observed(own and not entered, f"with one of the fleet let in {own}, without {entered}")


def self_made(house: House) -> Observed:
    wrong = {
        "self-made": Authority.create(OWN).own,
        "of another authority": Authority.create("Wattline red team").issue(OWN, use=CLIENT),
        "expired": house.authorities[0].issue(OWN, BEGIN, BEGIN + timedelta(days=1), CLIENT),
    }
    entered = [name for name, issued in wrong.items() if _enters(house, issued)]
    own = _enters(house, house.stolen, STOLEN)
    seen = f"let in: {entered}" if entered else f"none of {len(wrong)} let in"
    return Observed(own and not entered, f"{seen}, but one of the fleet's {own}")


def poses_as_broker(house: House) -> Observed:
    """The terminal's link is led to a server with a certificate of another authority, under the right name."""
    forged = Authority.create("Wattline red team").issue(HOST)
    pair = house.folder / "posing.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(forged.certificate_bytes(PEM) + forged.key_bytes(PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    told, tried = bytearray(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)
        thread = threading.Thread(target=_pose, args=(server, context, told, tried), daemon=True)
        thread.start()
        house.link.lead_to(server.getsockname()[1])
        thread.join()
    before = house.counter("frames_accepted")
    house.link.lead_to(house.port)
    house.restart_terminal()
    back = house.wait(lambda: house.counter("frames_accepted") > before)
    held = tried.is_set() and not told and back
    return Observed(held, f"{len(told)} bytes told; tried {tried.is_set()}; with the right one again {back}")


def _pose(server: socket.socket, context: ssl.SSLContext, told: bytearray, tried: threading.Event) -> None:
    """Take connections until nobody comes any more for SETTLE_S, ten at the most."""
    for _ in range(10):
        try:
            plain, _address = server.accept()
        except TimeoutError:
            return
        tried.set()
        server.settimeout(SETTLE_S)
        plain.settimeout(WAIT_S)  # who refuses us ends it at once
        try:
            with context.wrap_socket(plain, server_side=True) as link:
                told += link.recv(HELLO_MAX)
        except OSError:
            plain.close()


def _captured(house: House) -> list[tuple[str, bytes]]:
    """Frames of the true terminal, as somebody who hears everything has them, until the gateway has answered a start of
    it made for this; its acks, too. The last frame is of that start. Raises BenchError where it is not answered.
    """
    with house.between() as listener:
        listener.subscribe(UP + "+", DOWN + "+")
        taken = house.terminal.process.text().count(TAKEN)
        house.restart_terminal()  # what an earlier start sent may still be under way, and be heard, too
        if not house.wait(lambda: house.terminal.process.text().count(TAKEN) > taken):
            said = house.terminal.process.tail()
            raise BenchError(f"the terminal was started, and not answered within {house.wait_s:g} s: {said}")
        return listener.hear_out()


def replays(house: House) -> Observed:
    heard = _captured(house)
    frames = [one for one in heard if one[0].startswith(UP)]
    before, repeated = house.windows(), house.counter("frames_repeated")
    with house.between("replayer") as stranger:
        for topic, data in frames * 3:
            stranger.publish(topic, data)
        seen = house.wait(lambda: house.counter("frames_repeated") >= repeated + 3 * len(frames))
    held = bool(frames) and seen and house.windows() == before
    return Observed(held, f"{3 * len(frames)} frames again: {house.windows() - before} windows more")


def replays_acks(house: House) -> Observed:
    """Acks again, and two that are none each time: the terminal says of each of those that it is ignored."""
    acks = [one for one in _captured(house) if one[0].startswith(DOWN)]
    before, noise = house.terminal.process.text().count(IGNORED), 2 * 5 * len(acks)
    with house.between("replayer") as stranger:
        for _, data in acks * 5:
            stranger.publish(DOWN + OWN, data)
            stranger.publish(DOWN + OWN, data[:-1] + bytes([data[-1] ^ 1]))
            stranger.publish(DOWN + OWN, house.sealed())
        house.wait(lambda: house.terminal.process.text().count(IGNORED) >= before + noise)
    ignored = house.terminal.process.text().count(IGNORED) - before
    runs = house.terminal.process.running
    before, taken = house.counter("frames_accepted"), house.terminal.process.text().count(TAKEN)
    house.restart_terminal()
    alive = house.wait(lambda: house.counter("frames_accepted") > before)
    true_one = house.wait(lambda: house.terminal.process.text().count(TAKEN) > taken)
    held = bool(acks) and ignored >= noise and runs and alive and true_one
    seen = f"{len(acks) * 15} messages down: it ignored {ignored}, it runs {runs}, is heard {alive}"
    return Observed(held, f"{seen}, takes the true ack {true_one}")


def replays_orders(house: House) -> Observed:
    """What the gateway once asked of the terminal: obeyed then, ignored behind a start; the next true one is obeyed."""
    recorded = _order(house)
    first = _answer(house, recorded)
    fresh = _order(house)
    again, true_one = _answer(house, recorded), _answer(house, fresh)
    held = (first, again, true_one) == (ASKED, STALE, ASKED)
    return Observed(held, f"at first: {first}; after a start: {again}; a true one: {true_one}")


def _answer(house: House, order: bytes) -> str:
    """What the terminal says to it: ASKED, STALE, or nothing."""
    before = len(house.terminal.process.text())

    def said() -> str:
        more = house.terminal.process.text()[before:]
        return next((one for one in (ASKED, STALE) if one in more), "")

    with house.between("replayer") as stranger:
        stranger.publish(DOWN + OWN, order)
    house.wait(lambda: bool(said()))
    return said()


def _order(house: House) -> bytes:
    """A request for the terminal's first record, as the gateway answers a frame of the start that it makes now."""
    (*_, newest) = [data for topic, data in _captured(house) if topic == UP + OWN]
    heard = frame.open_frame(newest, OWN, {house.own_key.generation: house.own_key})
    return orders.seal_request(house.own_key, OWN, heard.epoch, [(1, 1)], (heard.boot_id, heard.sent_ms))


def alters(house: House) -> Observed:
    frames = [data for topic, data in _captured(house) if topic == UP + OWN]
    before, windows = sum(house.refused().values()), house.windows()
    with house.between("alterer") as stranger:
        for number in range(ALTERED):
            data = bytearray(frames[number % len(frames)])
            at = house.random.randrange(len(data) * 8)
            data[at // 8] ^= 1 << at % 8
            stranger.publish(UP + OWN, bytes(data))
        seen = house.wait(lambda: sum(house.refused().values()) >= before + ALTERED)
    more = sum(house.refused().values()) - before
    return Observed(seen and house.windows() == windows, f"{more} of {ALTERED} refused and kept")


def transplants(house: House) -> Observed:
    """A true frame of one terminal, said to be another one's; one cut short; one with something behind."""
    frames = [data for topic, data in _captured(house) if topic == UP + OWN]
    before, windows = sum(house.refused().values()), house.windows()
    made = [(STOLEN, frames[0]), (OWN, frames[0][:-9]), (OWN, frames[0] + b"\x00"), ("T9999", frames[0])]
    with house.between("transplanter") as stranger:
        for terminal, data in made:
            stranger.publish(UP + terminal, data)
        seen = house.wait(lambda: sum(house.refused().values()) >= before + len(made))
    reasons = house.refusals()[: len(made)]
    each = set(reasons) == {"mac", "truncated", "trailing", "terminal"}  # by what it is, and not all for one reason
    return Observed(seen and each and house.windows() == windows, f"refused: {', '.join(reasons)}")


def bombs(house: House) -> Observed:
    """What breaks parsers; a good frame right behind is taken."""
    made = [
        b"", b"\x81" * 4000, b"\xd1\x84\x46\xa2\x01\x05\x04\x41\x01\xa0\x5b" + b"\xff" * 8, b"\x9f" * 4000,
        house.random.randbytes(4000), b"\xff" * 8000, b"\xd2" * 100,
    ]  # fmt: skip
    accepted = house.counter("frames_accepted")
    with house.between("bomber") as stranger:
        for data in made:
            stranger.publish(UP + OWN, data)
        stranger.publish(UP + STOLEN, house.sealed())
        seen = house.wait(lambda: house.counter("frames_accepted") > accepted)
    runs = house.gateway.process.running
    return Observed(seen and runs, f"{len(made)} bombs: the gateway runs {runs}, the good frame was taken {seen}")


def _asks(
    house: House, method: str, path: str, headers: dict[str, str] | None = None, body: object = None
) -> tuple[int, dict[str, str], bytes]:
    """What the console answers: status, headers, body."""
    address = urlsplit(house.console)
    link = http.client.HTTPConnection(str(address.hostname), address.port or 80, timeout=HTTP_S)
    try:
        sent = {"Content-Type": "application/json", **(headers or {})}
        link.request(method, path, None if body is None else json.dumps(body), sent)
        answer = link.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        link.close()


def _login(house: House, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """A session's cookie alone, as a page of another site has it; and with its token. Raises KeyError if refused."""
    _, headers, body = _asks(house, "POST", "/api/login", body={"name": name, "password": USER_PASSWORD})
    cookie = {"Cookie": headers["set-cookie"].partition(";")[0]}
    return cookie, {**cookie, "X-CSRF-Token": json.loads(body)["csrf"]}


def strange_requests(house: House) -> Observed:
    """Without a login; by another name; upwards; with a session's cookie alone; above one's role."""
    (cookie, operator), (_, admin) = _login(house, OPERATOR), _login(house, ADMIN)
    order = {"ids": [ABSENT], "do": "discard"}
    wrong = {**cookie, "X-CSRF-Token": "0" * 32}
    revocation = f"/api/terminals/{SPARE}/revocation"
    tried = {  # by what it is to be refused: another reason would not be what is tried
        "with the cookie": ((200, ""), _asks(house, "GET", "/api/terminals", cookie)),
        "no login": ((401, "session"), _asks(house, "GET", "/api/terminals")),
        "another host's name": ((400, ""), _asks(house, "GET", "/", {"Host": "evil.example"})),
        "a path upwards": ((404, ""), _asks(house, "GET", "/static/..%2f..%2f..%2fgateway.toml")),
        "a cookie without its token": ((403, "csrf"), _asks(house, "POST", "/api/quarantine/orders", cookie, order)),
        "a wrong token": ((403, "csrf"), _asks(house, "POST", "/api/quarantine/orders", wrong, order)),
        "with its token": ((200, ""), _asks(house, "POST", "/api/quarantine/orders", operator, order)),
        "an operator as admin": ((403, "role"), _asks(house, "POST", revocation, operator, {})),
        "an admin": ((200, ""), _asks(house, "POST", revocation, admin, {})),
    }
    seen = {what: (status, _refusal(body)) for what, (_, (status, _, body)) in tried.items()}
    held = all(seen[what] == wanted for what, (wanted, _) in tried.items())
    return Observed(held, ", ".join(f"{what}: {number} {code}".rstrip() for what, (number, code) in seen.items()))


def _refusal(body: bytes) -> str:
    """Why the console refused, where it is our own refusal."""
    why = re.search(rb'"code":"([a-z_]+)"', body)
    return why[1].decode() if why else ""


def guesses(house: House) -> Observed:
    password = {"name": OPERATOR, "password": USER_PASSWORD}
    right = _asks(house, "POST", "/api/login", body=password)[0]
    statuses = [
        _asks(house, "POST", "/api/login", body={"name": OPERATOR, "password": f"guess number {number}"})[0]
        for number in range(GUESSES)
    ]
    slowed = statuses.count(http.client.TOO_MANY_REQUESTS)  # where a guess takes seconds, some more are looked at
    held = all(one >= 400 for one in statuses) and slowed > GUESSES // 2
    seen = f"the right one {right}; {GUESSES} guesses: statuses {sorted(set(statuses))}, {slowed} slowed down"
    return Observed(held and right == http.client.OK, seen)


def from_outside(house: House) -> Observed:
    """127.0.0.2 is no address that any of ours binds to, and reaches all that is bound to every address."""
    ports = {"console": urlsplit(house.console).port or 80, "broker, gateway's": house.inner_port}
    reached = []
    for name, port in ports.items():
        try:
            socket.create_connection(("127.0.0.2", port), timeout=HTTP_S).close()
            reached.append(name)
        except OSError:
            continue
    for port in ports.values():  # on loopback itself they are; raises OSError where one is not
        socket.create_connection(("127.0.0.1", port), timeout=HTTP_S).close()
    seen = f"reached: {reached}" if reached else f"none of {len(ports)} ports is there, on loopback all are"
    return Observed(not reached, seen)


def revoked(house: House) -> Observed:
    """A certificate that was good until just now; the broker gets the list and a SIGHUP."""
    issued = house.authority_folder.issue(house.authorities, "T0003", CLIENT, house.folder / "T0003", house.begun)
    good = _enters(house, issued, "T0003")
    house.authority_folder.revoke(house.authorities, "T0003", datetime.now(UTC))
    (house.site / "revoked.pem").write_bytes((house.authority_folder.path / "revoked.pem").read_bytes())
    os.kill(house.broker.pid, signal.SIGHUP)
    gone = house.wait(lambda: not _enters(house, issued, "T0003"), 60.0)
    others = _enters(house, house.stolen, STOLEN)
    words = {True: "in", False: "out"}
    return Observed(
        good and gone and others, f"before: {words[good]}; after: {words[not gone]}, another one: {words[others]}"
    )


MOVES = [
    Move(WHO, "connects without a certificate", "S-25", "not let in", without_certificate),
    Move(WHO, "connects with a made-up, a foreign, an expired one", "S-25", "not let in", self_made),
    Move(WHO, "goes on with a revoked one", "S-19", "out within a minute", revoked),
    Move(WHO, "poses as the broker", "S-25", "the terminal tells it nothing, and comes back", poses_as_broker),
    Move(WHO, "sends captured frames again", "S-01", "counted, nothing journalled", replays),
    Move(WHO, "sends acks and noise down", "S-03, S-05", "none is taken, it goes on", replays_acks),
    Move(WHO, "sends a captured order again", "P-472", "obeyed while fresh, never behind a start", replays_orders),
    Move(WHO, "turns bits of frames round", "S-03", "each refused and kept", alters),
    Move(WHO, "passes frames off as another's, cuts, lengthens", "S-05", "each refused", transplants),
    Move(WHO, "sends what breaks parsers", "S-21", "refused; the next good frame is taken", bombs),
    Move(WHO, "asks the console as another site, or without a login", "S-27", "refused", strange_requests),
    Move(WHO, "guesses a password", "S-27", "slowed down", guesses),
    Move(WHO, "comes to ports from outside", "S-27", "nobody is there", from_outside),
]  # fmt: skip
