"""Mail: hands messages over to a mail server, in a thread, under a deadline."""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Final, Protocol

from kijko.setting_errors import WrongSetting
from kijko.settings import Mail as MailSettings
from kijko.settings import required

_PERMANENT: Final = 500
_READ_BY_ALL: Final = (
    "KIJKO_MAIL_TLS is none; it has to be starttls or tls, since the password of KIJKO_MAIL_USER would travel where "
    "everybody can read it."
)
_ABOUT_THE_MESSAGE: Final = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPSenderRefused,
    smtplib.SMTPDataError,
    smtplib.SMTPNotSupportedError,
)


class MailUnavailable(Exception):
    """The mail server does not take it now; later it may. The text is for the log and for who runs this server."""


class MailRefused(Exception):
    """The mail server will never take this one: no such mailbox, for instance."""


class Mailer(Protocol):
    """Sends mail."""

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over. Raises MailUnavailable or MailRefused; otherwise the server has it."""
        ...

    async def check(self) -> None:
        """Return when the server answers, and takes the user and password. Raises MailUnavailable."""
        ...


class Smtp:
    """A mail server by SMTP. One connection a message: few are sent, and none is held."""

    def __init__(self, settings: MailSettings) -> None:
        """Raises MissingSetting without KIJKO_MAIL_HOST or a user's password, WrongSetting where that would be read."""
        self._host = required(settings.host, "KIJKO_MAIL_HOST")
        self._settings = settings
        if settings.user:
            required(settings.password, "KIJKO_MAIL_PASSWORD")
            if settings.tls == "none" and not _is_here(self._host):
                raise WrongSetting([_READ_BY_ALL])

    async def send(self, message: EmailMessage) -> None:
        """See Mailer."""
        await asyncio.to_thread(self._send, message)

    async def check(self) -> None:
        """See Mailer."""
        await asyncio.to_thread(self._check)

    def _send(self, message: EmailMessage) -> None:
        try:
            with self._session() as session:
                session.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = next(iter(refused.recipients.values()))
            raise _kind(code)(_said(code, text)) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _kind(error.smtp_code)(_said(error.smtp_code, error.smtp_error)) from None
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused(f"The mail server cannot write to such an address: {error}") from None

    def _check(self) -> None:
        with self._session() as session:
            session.noop()

    @contextlib.contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A greeted, encrypted and signed-in connection. Raises MailUnavailable for all that is not about a message."""
        with self._translated():
            session = self._connect()
        try:
            with self._translated():
                if self._settings.tls == "starttls":
                    session.starttls(context=ssl.create_default_context())
                if self._settings.user:
                    session.login(self._settings.user, required(self._settings.password, "KIJKO_MAIL_PASSWORD"))
            with self._translated(but=_ABOUT_THE_MESSAGE):
                yield session
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                session.quit()

    @contextlib.contextmanager
    def _translated(self, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        try:
            yield
        except but:
            raise
        except (OSError, smtplib.SMTPException) as error:
            said = f"{type(error).__name__}: {error}"[:300]
            raise MailUnavailable(f"{self._host}:{self._settings.port} does not answer well: {said}") from None

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.tls == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, settings.port, timeout=settings.timeout_s, context=context)
        return smtplib.SMTP(self._host, settings.port, timeout=settings.timeout_s)


def connect(settings: MailSettings) -> Smtp | None:
    """The mail server of these settings; None where none is named. Nothing is connected before it is needed."""
    return Smtp(settings) if settings.host else None


def _kind(code: int) -> type[MailUnavailable | MailRefused]:
    return MailRefused if code >= _PERMANENT else MailUnavailable


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"[:300]


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
