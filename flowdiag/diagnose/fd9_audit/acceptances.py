"""FD904 and FD905: the audit's own list of what somebody answers for."""

from __future__ import annotations

from flowdiag.diagnose.check import Check
from flowdiag.model.report import Severity

__all__ = ["AcceptanceExpired", "AcceptanceUnused"]


class AcceptanceExpired(Check):
    """An [[accept]] entry has passed its day: what it accepted counts again.

    Signature:
        `expires` of an entry in .flowdiag.toml lies before today, UTC.

    Advice:
        Ask its owner: mend the cause and delete the entry, or accept it anew with another day and a
        reason that still holds.

    Guard:
        The last day itself still counts.

    References:
        docs/audit.md, section Accepted findings
    """

    code = "FD904"
    slug = "acceptance-expired"
    severity = Severity.MEDIUM


class AcceptanceUnused(Check):
    """An [[accept]] entry accepts nothing any more: left standing, it would hide the next problem like it.

    Signature:
        No problem of a run whose input was read whole is the entry's, and none was still open before it.

    Advice:
        Delete the entry, or correct its selectors if it was meant for a problem that is still open.

    Guard:
        Silent where the input was incomplete or only a part was selected: what was not looked at may
        still be there.  Silent on the first run, and on the run that does not show the problem any more.

    References:
        docs/audit.md, section Accepted findings
    """

    code = "FD905"
    slug = "acceptance-unused"
    severity = Severity.LOW
