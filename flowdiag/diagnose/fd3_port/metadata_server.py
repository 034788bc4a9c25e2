"""FD309."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.dns import is_dns_server
from flowdiag.diagnose.first_sight import METADATA
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["MetadataServer"]


class MetadataServer(Rule):
    """A pod asks the cloud's metadata or credentials service and is refused.

    Signature:
        Egress to one of the link-local addresses that clouds use for metadata and credentials.

    Advice:
        Allow it on purpose for workloads that need credentials, or confirm that refusing is meant: many
        teams block it for good reason.

    Guard:
        Other link-local addresses (NodeLocal DNSCache, 169.254.20.10) are not metadata, and lookups at 169.254.169.254 ask
        the cloud's resolver (FD401).  Where the policies at hand
        allow it, there is nothing to allow (FD806).

    References:
        https://github.com/aws/aws-network-policy-agent/issues/120
        https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
    """

    code = "FD309"
    slug = "metadata-server"
    title = "{source} may not ask the cloud's metadata server ({destination})"
    severity = Severity.MEDIUM
    signs = (Sign.POLICY | Sign.METADATA,)
    specificity = 79

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        what = METADATA.get(case.flow.dst.ip or "")
        if what is None or case.not_policy or case.direction is Direction.INGRESS or is_dns_server(case):
            return
        if case.end is not None and case.end.allowed is True:
            return
        replayed = case.end is not None and case.end.allowed is False
        yield self.finding(
            case,
            summary=f"{end_text(case.flow.src)} asks {case.flow.dst.ip}, {what}, and is refused.",
            advice=(
                f"If it needs credentials, allow {case.flow.dst.ip}/32 for this workload alone; if not, the "
                "refusal is what most teams want."
            ),
            basis=Basis.REPLAY if replayed else Basis.STATE,
            most=Confidence.DERIVED if replayed else Confidence.LIKELY,
            cause_key=f"metadata:{case.flow.dst.ip}",
        )
