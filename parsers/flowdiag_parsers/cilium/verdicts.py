"""Words of ``cilium monitor`` for what became of a packet, and why."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from flowdiag.parserkit import Cause, Verdict, is_housekeeping, reason_by_code, reason_by_text

__all__ = [
    "ACTIONS",
    "L7_VERDICTS",
    "NO_REASON",
    "Why",
    "between",
    "read_reason",
    "reply_of",
    "verdict_reason",
]

ACTIONS: dict[str, Verdict] = {
    "allow": Verdict.ALLOWED,
    "deny": Verdict.DENIED,
    "redirect": Verdict.REDIRECTED,
    "audit": Verdict.AUDITED,
}
"""``action A`` of policy verdict lines."""

L7_VERDICTS: dict[str, Verdict] = {
    "Forwarded": Verdict.ALLOWED,
    "Denied": Verdict.DENIED,
    "Redirected": Verdict.REDIRECTED,
    "Error": Verdict.ERROR,
    "error": Verdict.ERROR,
}
"""``verdict V`` of L7 lines (pkg/proxy/accesslog)."""

# "FIB lookup failed, 8": the extended error after the text    1.13 and later
_EXTENDED = re.compile(r"(?P<text>.{1,150}), (?P<error>-?\d{1,10})")


class Why(Struct, frozen=True):
    """A drop's reason: normalised where it is known, verbatim always."""

    cause: Cause | None
    reason: str | None
    code: int | None
    raw: str | None


NO_REASON = Why(None, None, None, None)
"""Of what was not refused."""


@lru_cache(maxsize=2048)
def read_reason(text: str) -> Why:
    """``Policy denied (L3)``, ``FIB lookup failed, 8``, ``119, 0`` for a code that the client does not know."""
    extended = _EXTENDED.fullmatch(text)
    bare = extended["text"] if extended is not None else text
    if bare.isascii() and bare.isdigit() and len(bare) < 6:
        known = reason_by_code(int(bare))
        code: int | None = int(bare)
    else:
        known = reason_by_text(bare)
        code = known.code if known is not None else None
    if known is None:
        return Why(None, None, code, text)
    return Why(known.cause, known.name, code, text)


def between(why: Why, src: str | None, dst: str | None) -> Why:
    """The reason, seen between these addresses: IPv6 housekeeping is noise whatever the code says elsewhere."""
    if is_housekeeping(why.code, src, dst):
        return Why(Cause.NOISE, why.reason, why.code, why.raw)
    return why


def verdict_reason(action: str, match: str, auth: str | None) -> Why:
    """Why a policy verdict refuses: nothing matched (133), a deny rule did (181), authentication is missing (189)."""
    if ACTIONS.get(action) is not Verdict.DENIED:
        return NO_REASON
    code = 133 if match == "none" else 189 if auth not in {None, "disabled"} else 181
    known = reason_by_code(code)
    return Why(Cause.POLICY, known.name if known is not None else None, code, None)


def reply_of(state: str, *, before_conntrack: bool) -> bool | None:
    """Whether a traced packet is a reply.

    Where the packet only just came in (``<-``, ``from-...``) nobody has looked it up yet, and the state
    ``new`` that old versions print there says nothing.
    """
    if state == "reply":
        return True
    return None if before_conntrack or state not in {"new", "established", "reopened"} else False
