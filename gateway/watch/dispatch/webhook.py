"""An HTTP server as a channel: a POST of JSON, signed; 2xx confirms. It follows no redirect and uses no proxy.

Wattline-Signature: sha256=HEX, the HMAC-SHA-256 (RFC 2104) of the body under the secret.
"""

import hashlib
import hmac
import http.client
import ssl
from urllib.parse import urlsplit

from gateway.files import read_password
from gateway.watch.dispatch.channels import WebhookEntry
from gateway.watch.dispatch.message import Message
from gateway.watch.dispatch.sender import DENIED, FAILING, REFUSED, TIMEOUT_S, UNREACHABLE, ChannelError

_DENIED = {401, 403, 407}
_REFUSES_THIS = {400, 409, 413, 415, 422}


class Webhook:
    """A Sender."""

    def __init__(self, entry: WebhookEntry) -> None:
        self._entry = entry

    def send(self, message: Message) -> None:
        """As Sender.send."""
        parts = urlsplit(self._entry.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection = self._connection(str(parts.hostname), parts.port, tls=parts.scheme == "https")
            try:
                connection.request("POST", target, message.body, self._headers(message))
                status = connection.getresponse().status
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise ChannelError(UNREACHABLE, f"{type(error).__name__}: {error}") from error
        if not 200 <= status < 300:
            reason = DENIED if status in _DENIED else REFUSED if status in _REFUSES_THIS else FAILING
            raise ChannelError(reason, f"the server answers {status}")

    def _connection(self, host: str, port: int | None, *, tls: bool) -> http.client.HTTPConnection:
        if not tls:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        context = ssl.create_default_context(cafile=self._entry.tls_ca_file)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)

    def _headers(self, message: Message) -> dict[str, str]:
        secret = (read_password(self._entry.secret_file) or "").encode()
        signature = hmac.new(secret, message.body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "wattline",
            "Wattline-Message": message.id,
            "Wattline-Signature": f"sha256={signature}",
        }
