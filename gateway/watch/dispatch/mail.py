"""An SMTP server as a channel: a mail in Chinese and English; it is confirmed once the server took it (RFC 5321)."""

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from gateway.clock import Clock
from gateway.files import read_password
from gateway.watch.dispatch.channels import EmailEntry
from gateway.watch.dispatch.message import Message
from gateway.watch.dispatch.sender import DENIED, FAILING, REFUSED, TIMEOUT_S, UNREACHABLE, ChannelError

_PERMANENT = 500  # reply codes from here on: RFC 5321, 4.2.1
_WE = "wattline"  # the name that we greet with: the machine's own would be asked of a name server, and tells of it


class Mail:
    """A Sender."""

    def __init__(self, entry: EmailEntry, clock: Clock) -> None:
        self._entry, self._clock = entry, clock

    def send(self, message: Message) -> None:
        """As Sender.send; a recipient that the server refuses beside others that it takes is not told."""
        try:
            with self._connected() as server:
                if self._entry.username is not None:
                    server.login(self._entry.username, read_password(self._entry.password_file) or "")
                server.send_message(self._letter(message))
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
            raise ChannelError(DENIED, _text(error)) from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise ChannelError(REFUSED if min(codes) >= _PERMANENT else FAILING, _text(error)) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise ChannelError(REFUSED if error.smtp_code >= _PERMANENT else FAILING, _text(error)) from error
        except OSError as error:  # of all else, SMTP's too
            raise ChannelError(UNREACHABLE, _text(error)) from error

    def _connected(self) -> smtplib.SMTP:
        entry = self._entry
        context = ssl.create_default_context(cafile=entry.tls_ca_file)
        if entry.security == "tls":
            return smtplib.SMTP_SSL(entry.host, entry.port, _WE, timeout=TIMEOUT_S, context=context)
        server = smtplib.SMTP(entry.host, entry.port, _WE, timeout=TIMEOUT_S)
        try:
            if entry.security == "starttls":
                server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage(SMTP)
        letter["Subject"], letter["From"], letter["To"] = message.subject, self._entry.from_, ", ".join(self._entry.to)
        letter["Date"] = formatdate(self._clock.now_ms() / 1000)
        letter["Message-ID"] = f"<{message.id}@wattline.invalid>"
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes, please
        letter.set_content(message.text)
        return letter


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
