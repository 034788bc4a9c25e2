"""Programs that containers happen to have, and what they say of a TCP connection.

Each is started directly, with its arguments as a list: no shell reads an address.  Words are those of
OpenBSD's netcat 1.2, busybox 1.37 (``nc``, ``wget``), nmap's ncat 7.9, bash 5.2, curl 8.11, GNU wget 1.25
and Python 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

__all__ = ["TOOLS", "Outcome", "Tool", "read_outcome"]


class Outcome(StrEnum):
    """What became of one attempt to connect."""

    CONNECTED = "connected"
    REFUSED = "refused"
    """Something answered that it does not want to: a closed port, or a rule that rejects."""
    TIMED_OUT = "timed-out"
    """Nobody answered in time: what is dropped, or is not there."""
    UNREACHABLE = "unreachable"
    """The network said that there is no way."""
    UNCLEAR = "unclear"


class Tool(Struct, frozen=True):
    """A program and how it is asked to connect."""

    name: str
    argv: Callable[[str, int, int], list[str]]
    """From address, port and seconds."""


_PYTHON = "import socket,sys;socket.create_connection((sys.argv[1],int(sys.argv[2])),float(sys.argv[3]))"


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


TOOLS: tuple[Tool, ...] = (
    Tool("nc", lambda address, port, seconds: ["nc", "-z", "-v", "-w", str(seconds), address, str(port)]),
    # busybox that was built without -z: it starts a program once it is connected.
    Tool("nc -e", lambda address, port, seconds: ["nc", "-w", str(seconds), address, str(port), "-e", "true"]),
    Tool(
        "curl",
        lambda address, port, seconds: [
            "curl", "-sSv", "-o", "/dev/null", "-w", "time_connect=%{time_connect}", "--noproxy", "*",
            "--connect-timeout", str(seconds), "--max-time", str(seconds + 1), _url(address, port),
        ],
    ),
    Tool(
        "bash",
        lambda address, port, seconds: [
            "timeout", str(seconds), "bash", "-c", 'exec 3<>"/dev/tcp/$0/$1"', address, str(port),
        ],
    ),
    Tool("python3", lambda address, port, seconds: ["python3", "-c", _PYTHON, address, str(port), str(seconds)]),
    Tool(
        "wget",
        lambda address, port, seconds: ["wget", "-t", "1", "-T", str(seconds), "-O", "/dev/null", _url(address, port)],
    ),
)  # fmt: skip
"""In the order of how plainly they answer."""

# OpenBSD netcat: "nc: connect to 10.0.0.1 port 80 (tcp) failed: Connection refused"; busybox: "nc: 10.0.0.1 (10.0.0.1:80):
# Connection refused"; curl -v: "* connect to 10.0.0.1 port 80 from 10.0.0.2 port 4242 failed: Connection refused"
_REFUSED = re.compile(r"connection refused|connectionrefused", re.IGNORECASE)
# busybox: "nc: 10.0.0.1 (10.0.0.1:80): Operation timed out", "wget: download timed out"; ncat: "Ncat: TIMEOUT."; curl
# says "curl: (28) Connection timed out after 5001 milliseconds"
_TIMED_OUT = re.compile(r"timed out|timeout", re.IGNORECASE)
# "No route to host", "Network is unreachable"; EPERM comes from eBPF programs that look at connect()
_UNREACHABLE = re.compile(
    r"no route to host|unreachable|operation not permitted|permission denied", re.IGNORECASE
)
# busybox without -z: "nc: invalid option -- 'z'" or "nc: unrecognized option: z" and "Usage: nc [OPTIONS] HOST PORT"
_UNUSABLE = re.compile(
    r"(?:invalid|unrecognized|unknown|illegal) option|^usage:", re.IGNORECASE | re.MULTILINE
)
# busybox wget: "wget: server returned error: HTTP/1.1 404 Not Found", "wget: error getting response"; GNU wget: "HTTP
# request sent, awaiting response... 404 Not Found"
_TALKED = re.compile(r"HTTP/1|HTTP request sent|error getting response|reset by peer", re.IGNORECASE)
# What curl's -w prints, "time_connect=0.000412"; zero where no connection came to be
_CONNECT = re.compile(r"time_connect=(\d{1,6}\.\d{1,9})")


def read_outcome(tool: str, code: int, stdout: str, stderr: str) -> Outcome | None:
    """What a program's end says; ``None`` where it could not be used at all.

    Args:
        tool: `Tool.name`.
        code: its exit code; more than 128 where a signal ended it.
        stdout: what it printed.
        stderr: what it complained of.
    """
    said = f"{stdout}\n{stderr}"
    if tool == "curl":
        connected = _CONNECT.search(stdout)
        if connected is not None and float(connected[1]) > 0:
            return Outcome.CONNECTED
    if code == 0:
        return Outcome.CONNECTED
    if tool == "bash" and code in (124, 143):
        return Outcome.TIMED_OUT
    if code in (126, 127) or code > 128 or _UNUSABLE.search(said):
        return None
    if tool == "wget" and _TALKED.search(said):
        return Outcome.CONNECTED
    for pattern, outcome in (
        (_REFUSED, Outcome.REFUSED),
        (_TIMED_OUT, Outcome.TIMED_OUT),
        (_UNREACHABLE, Outcome.UNREACHABLE),
    ):
        if pattern.search(said):
            return outcome
    return Outcome.UNCLEAR
