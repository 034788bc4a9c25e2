"""One attempt to connect from inside a pod, with whatever its container has."""

from __future__ import annotations

import time

from msgspec import Struct

from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.errors import ApiError, CutShortError, NotServedError
from flowdiag.cluster.live.exec import run_in_pod
from flowdiag.cluster.live.tools import TOOLS, Outcome, read_outcome

__all__ = ["Attempt", "connect_from"]

_OUTPUT = 1 << 16
_SPARE_S = 10.0
"""Besides the attempt's own time: starting a program on a busy node takes some."""


class Attempt(Struct, frozen=True, kw_only=True):
    """What was run and what came of it."""

    command: tuple[str, ...]
    outcome: Outcome
    seconds: float
    said: str
    """What the program printed, at most some hundred characters."""


def connect_from(
    api: Api, pod: tuple[str, str], container: str, address: str, port: int, seconds: int
) -> Attempt | None:
    """Try to connect with the first program that is there; ``None`` where there is none.

    Raises:
        ForbiddenError: the user may not run commands in the pod.
        ApiError, LostError: as `run_in_pod`, where that is not for want of the program.
    """
    for tool in TOOLS:
        command = tool.argv(address, port, seconds)
        output = bytearray()
        began = time.monotonic()
        try:
            done = run_in_pod(
                api, pod, container, command, output.extend, limit=_OUTPUT, within_s=seconds + _SPARE_S
            )
        except CutShortError:
            return Attempt(
                command=tuple(command),
                outcome=Outcome.UNCLEAR,
                seconds=time.monotonic() - began,
                said="the command did not end in time",
            )
        except ApiError as error:
            if _no_such_program(error):
                continue
            raise
        took = time.monotonic() - began
        stdout = output.decode("utf-8", "replace")
        outcome = read_outcome(tool.name, done.code, stdout, done.stderr)
        if outcome is not None:
            said = " ".join(f"{stdout} {done.stderr}".split())[:300]
            return Attempt(command=tuple(command), outcome=outcome, seconds=took, said=said)
    return None


def _no_such_program(error: ApiError) -> bool:
    # containerd: 'exec: "nc": executable file not found in $PATH', CRI-O: 'open executable: No such file or directory'
    if isinstance(error, NotServedError) or error.status == 403:
        return False
    text = str(error).lower()
    return "executable file not found" in text or "no such file or directory" in text
