"""FD306."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.first_sight import is_scraper
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.wording import end_text
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod
from flowdiag.model.report import Confidence, Severity

__all__ = ["MetricsPort"]

_METRICS_NAMES = frozenset({"metrics", "http-metrics", "https-metrics", "prometheus", "prom", "http-prom"})
_PORT_NOTES = ("prometheus.io/port", "prometheus.io/scrape-port")


class MetricsPort(Rule):
    """The monitoring may not scrape a workload's metrics port.

    Signature:
        The source is a scraper by its labels or name, and the port is one that the destination announces
        for scraping: an annotation, or a container port called metrics; records come at scrape interval.

    Advice:
        Allow the monitoring namespace on the metrics port, or, where the monitoring itself is isolated for
        egress, the metrics port in its own policy.  `kubectl port-forward` bypasses policy, so it
        proves nothing.

    Guard:
        A scraper that calls the application's port, or another source that calls the metrics port, is
        something else.

    References:
        https://github.com/codecentric/helm-charts/issues/546
        https://prometheus.io/docs/prometheus/latest/configuration/configuration/#kubernetes_sd_config
    """

    code = "FD306"
    slug = "metrics-port"
    title = "{source} cannot scrape {destination} on {port}"
    severity = Severity.MEDIUM
    needs = Needs.POLICIES | Needs.PODS
    signs = (Sign.DEFAULT | Sign.SCRAPER,)
    specificity = 69

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        pod = some_pod(case.context, case.flow.dst)
        if not case.default_denied or pod is None or case.protocol != "TCP":
            return
        if not is_scraper(case.flow.src) or case.port not in self._metrics_ports(pod):
            return
        steady = case.flow.distinct.interval_s
        rhythm = f" every {steady:.0f} s" if steady is not None else ""
        source, destination = end_text(case.flow.src), end_text(case.flow.dst)
        allow = (
            f"Let {source} reach {destination} on {case.port}/TCP."
            if case.direction is Direction.EGRESS
            else f"Allow namespace {case.flow.src.namespace} on {case.port}/TCP."
        )
        yield self.finding(
            case,
            summary=(
                f"{source} asks {destination}{rhythm} on {case.port}, its metrics port, and no "
                f"{case.direction} rule admits that."
            ),
            advice=f"{allow} A test with kubectl port-forward bypasses policy and proves nothing.",
            most=Confidence.DERIVED if steady is not None else Confidence.LIKELY,
            cause_key="metrics",
        )

    @staticmethod
    def _metrics_ports(pod: Pod) -> set[int]:
        ports = {one.port for one in pod.ports if one.name in _METRICS_NAMES}
        for note in _PORT_NOTES:
            value = pod.annotations.get(note, "")
            if value.isascii() and value.isdigit() and len(value) <= 5:
                ports.add(int(value))
        return ports
