"""FD609."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, port_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity
from flowdiag.model.time import moment_text

__all__ = ["STALE", "STALE_MEANING", "StaleRecord"]

STALE = "stale-zero-packets"
"""Normalised reason that the flow log's parser gives a denial that counts no packet either way."""

STALE_MEANING = "a flow log repeats an old denial in which no packet was seen (FD609)"


class StaleRecord(Rule):
    """A flow log repeats a denial that is over: the record counts no packet in either direction.

    Signature:
        A denied record of Goldmane or Whisker with zero packets in and out, often after the same flow was
        allowed.

    Advice:
        Leave it out of every count (flowdiag does); Calico v3.32 no longer writes such records.

    Guard:
        A record that does not count packets at all says nothing of this, and a denial with a single packet
        is a denial.

    References:
        https://github.com/projectcalico/calico/issues/13573
    """

    code = "FD609"
    slug = "stale-record"
    title = "The flow log repeats an old denial of {source} to {destination} on {port}"
    severity = Severity.INFO
    signs = (Sign.REASON,)
    specificity = 112

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.reason != STALE:
            return
        what = f"{end_text(case.flow.src)} to {end_text(case.flow.dst)} on {port_text(case)}"
        allowed = [flow.last for flow in case.context.allowed_alike(case.flow) if flow.last is not None]
        since = f"; the same flow was seen allowed at {moment_text(max(allowed))}" if allowed else ""
        yield self.finding(
            case,
            summary=f"The record of {what} counts no packet either way: nothing was refused then{since}.",
            advice="Leave it out of every count; Calico v3.32 no longer writes such records.",
            basis=Basis.RECORD,
            cause_key="stale",
            isolating=(),
        )
