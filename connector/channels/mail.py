"""Alerts by mail, over a connection that is encrypted and whose end is checked, unless it stays on this machine."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from typing import Final

from connector import __version__
from connector.alerting import Alert, Kind
from connector.codes import Code
from connector.errors import Misconfigured, Refused, Temporary
from connector.private import Secret

# Seconds that a server may be silent.
_TIMEOUT_S: Final = 15.0
_PERMANENT: Final = 500


class Encryption(StrEnum):
    """How the connection to the server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Server:
    """The server that takes our mail.

    Args:
        user: empty if it asks for none; then there is no password either.
        context: makes what its certificate is checked with.
    """

    host: str
    port: int
    encryption: Encryption
    user: str = ""
    password: Secret | None = None
    context: Callable[[], ssl.SSLContext] = ssl.create_default_context


@dataclass(frozen=True, slots=True)
class Mail:
    """Fulfils `alerting.Channel`."""

    name: str
    kinds: Collection[Kind]
    server: Server
    sender: str
    to: Sequence[str]

    def send(self, alert: Alert) -> None:
        """Send a message.

        Raises:
            ConnectorError: the server did not take it, or takes no credential of ours.
        """
        try:
            with self._connected() as server:
                # A server that takes it for some and not for all has taken it.
                server.send_message(self.message(alert), self.sender, [*self.to])
        except smtplib.SMTPAuthenticationError:
            raise Misconfigured(Code.TOKEN_REFUSED, f"alerts, channel {self.name}") from None
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError):
            where = f"alerts, channel {self.name}: the server does not offer what is configured, or is another"
            raise Misconfigured(Code.CONFIG_INVALID, where) from None
        except smtplib.SMTPResponseException as error:
            raise self._refusal(error.smtp_code) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refusal(max(code for code, _ in error.recipients.values())) from None
        except (OSError, smtplib.SMTPException, UnicodeError):
            # Their texts may quote an address.
            raise Temporary(Code.REMOTE_UNREACHABLE, f"alerts, channel {self.name}") from None

    def message(self, alert: Alert) -> EmailMessage:
        """Return the mail. Tries of the same message have the same id, and a reader shows them once."""
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.to)
        mail["Subject"] = f"[consent connector] {alert.title}"
        mail["Date"] = format_datetime(alert.at)
        mail["Message-ID"] = f"<{alert.id}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Mailer"] = f"consent-connector/{__version__}"
        mail.set_content(f"{alert.text}\n")
        return mail

    def _connected(self) -> smtplib.SMTP:
        """Return the server, greeted and encrypted as configured, and told who we are."""
        one = self.server
        # By default the library looks up what this machine is called, and tells it.
        name = self.sender.rpartition("@")[2]
        if one.encryption is Encryption.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(one.host, one.port, name, timeout=_TIMEOUT_S, context=one.context())
        else:
            server = smtplib.SMTP(one.host, one.port, name, timeout=_TIMEOUT_S)
        try:
            if one.encryption is Encryption.STARTTLS:
                server.starttls(context=one.context())
            if one.user and one.password is not None:
                server.login(one.user, one.password.reveal())
        except BaseException:
            server.close()
            raise
        return server

    def _refusal(self, status: int) -> Refused | Temporary:
        where = f"alerts, channel {self.name}: status {status}"
        return Refused(Code.REMOTE_REFUSED, where) if status >= _PERMANENT else Temporary(Code.REMOTE_FAULT, where)
