"""FD802."""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.rule import Rule
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity

__all__ = ["AGGREGATED", "AggregatedSource"]

# Formats whose records stand for many connections of an interval.
AGGREGATED = ("calico-flowlog", "goldmane", "whisker", "aws-vpc-flow", "gke-policy")


class AggregatedSource(Rule):
    """The source counts flows of an interval, not packets or connections.

    Signature:
        The records come from a format that aggregates: Calico flow logs, Goldmane, Whisker.

    Advice:
        Read counts as a measure of how often, not how many; times are those of the interval.

    Guard:
        Per-packet sources (Hubble, the kernel's log) are left alone.

    References:
        https://docs.tigera.io/calico/latest/observability/view-flow-logs
        https://github.com/projectcalico/calico/issues/13573
    """

    code = "FD802"
    slug = "aggregated-source"
    title = "Counts for {source} to {destination} are aggregated"
    severity = Severity.INFO

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """See `Rule.annotate`."""
        if not case.flow.distinct.parser.startswith(AGGREGATED):
            return finding
        text = "Records of this source stand for flows of an interval, not for packets (FD802)."
        return replace(finding, limits=(*finding.limits, text))
