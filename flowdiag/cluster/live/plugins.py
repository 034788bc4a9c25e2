"""What became of a kubeconfig's exec credential plugin.

The kubernetes client (37, and before it) logs that a plugin failed, and goes on without credentials: the answer is then that
nobody is authorized, which says nothing of the login that has ended.  kubectl ends there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from flowdiag.model.errors import ClusterError
from flowdiag.model.masking import masked

__all__ = ["plugin_heard"]

_LOADER = "kube_config"
_MOST = 400
# "exec: process returned 255. Error loading SSO Token: Token for dev does not exist"     kubernetes 37
_RETURNED = re.compile(r"exec: process returned (-?\d+)(?:\. )?")
# With a terminal on standard output the plugin's words went there, and the client falls over their absence.
_OVER_NOTHING = "'NoneType' object has no attribute 'strip'"


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what the client's loader says."""
        if record.module == _LOADER:
            self.said.append(record.getMessage())


@contextmanager
def plugin_heard(user: Mapping[str, Any]) -> Iterator[None]:
    """Load credentials; a plugin that gave none is an error.

    Args:
        user: the kubeconfig's user entry.

    Raises:
        ClusterError: the plugin failed, with its words.
    """
    heard = _Heard()
    logging.getLogger().addHandler(heard)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(heard)
    asked = user.get("exec")
    if heard.said and isinstance(asked, dict):
        name = PurePath(str(asked.get("command"))).name
        raise ClusterError(
            f"the credential plugin {name} of the kubeconfig gave no credentials: {_words(heard.said[-1])}",
            hint="log in again; kubectl auth whoami asks the same plugin",
        )


def _words(text: str) -> str:
    if text == _OVER_NOTHING:
        return "it failed, with the words above"
    found = _RETURNED.match(text)
    if found is None:
        return masked(text)[:_MOST]
    said = " ".join(masked(text[found.end() :]).split())
    return f"it ended with {found[1]}{f': {said[:_MOST]}' if said else ''}"
