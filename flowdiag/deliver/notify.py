"""Telling people: apprise speaks to webhooks, chats and mail; the Markdown and the picture go along.

Apprise's own messages repeat addresses, which hold the secret of a webhook as often as not, so they are
not shown: a failure is named by the kind of service, its place among the addresses and a status, if any.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Self

from flowdiag.model.errors import UsageError

__all__ = ["check_notify", "notify"]

# "Failed to send JSON POST notification: Not Found, error=404."     apprise 1.9
_STATUS = re.compile(r"\berror=(\d{3})\b")


def check_notify(addresses: Sequence[str]) -> None:
    """Say at the beginning what would fail at the end.

    Raises:
        UsageError: apprise is not installed, or knows one of the addresses not.
    """
    if find_spec("apprise") is None:
        raise UsageError("--notify needs another package", hint='pip install "flowdiag[notify]"')
    import apprise

    with _heard():
        for number, address in enumerate(addresses, start=1):
            if not apprise.Apprise().add(address):
                raise UsageError(
                    f"--notify: address {number} ({_kind(address)}) is none that apprise {apprise.__version__} knows",
                    hint="such as json://host/path, slack://..., mailto://...: https://github.com/caronc/apprise",
                )


def notify(
    addresses: Sequence[str], *, title: str, body: str, attachments: Mapping[str, tuple[str, bytes]]
) -> list[str]:
    """Send one notification to every address.

    Args:
        addresses: as apprise takes them: ``json://host/path``, ``slack://...``, ``mailto://...``.
        title: one line.
        body: Markdown.
        attachments: (MIME type, content) by file name.

    Returns:
        A sentence for each address that did not take it; none holds the address.
    """
    import apprise
    from apprise.attachment.memory import AttachMemory

    said = []
    with _heard() as heard:
        for number, address in enumerate(addresses, start=1):
            where = f"notification {number} ({_kind(address)})"
            sender = apprise.Apprise()
            if not sender.add(address):
                said.append(f"{where}: not an address that apprise {apprise.__version__} knows")
                continue
            heard.statuses.clear()
            files = apprise.AppriseAttachment()
            for name, (mime, data) in attachments.items():
                files.add(AttachMemory(content=data, name=name, mimetype=mime))  # type: ignore[no-untyped-call]
            sent = sender.notify(
                title=title, body=body, body_format=apprise.NotifyFormat.MARKDOWN, attach=files
            )
            if not sent:
                status = f": status {heard.statuses[-1]}" if heard.statuses else ""
                said.append(f"{where} did not get through{status}")
    return said


def _kind(address: str) -> str:
    scheme, separator, _ = address.partition("://")
    return scheme if separator and scheme.isalnum() and len(scheme) <= 20 else "unreadable"


class _heard(logging.Handler):  # noqa: N801 - used as a context, like contextlib's own
    """Listens to apprise while keeping it quiet."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the status that a message speaks of, and nothing else of it."""
        found = _STATUS.search(record.getMessage())
        if found:
            self.statuses.append(found[1])

    def __enter__(self) -> Self:
        logger = logging.getLogger("apprise")
        self._before = logger.propagate
        logger.propagate = False
        logger.addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logger = logging.getLogger("apprise")
        logger.removeHandler(self)
        logger.propagate = self._before
