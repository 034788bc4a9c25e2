"""Reports to render: the default-deny story, a mixed one, an empty one and hostile ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from flowdiag.model.event import ObjectRef, WorkloadRef
from flowdiag.model.policy import Condition, Miss, PolicyRef
from flowdiag.model.report import (
    BlastRadius,
    BucketCounts,
    Buckets,
    Change,
    ClockSkew,
    Cluster,
    Confidence,
    Connection,
    Counterfactual,
    Evidence,
    EvidenceGap,
    EvidenceLine,
    Generator,
    Input,
    NearestRuleView,
    NotPolicy,
    ParserInfo,
    PolicyView,
    Problem,
    ProblemChange,
    Reason,
    RecordedPolicy,
    RefusedOtherwise,
    Report,
    ReportEndpoint,
    ReportWarning,
    Severity,
    SnapshotInfo,
    Status,
    TimelineEntry,
    Totals,
    Window,
)
from flowdiag.model.time import parse_rfc3339, rfc3339

DAY = "2026-03-17T"
GROUP = "networking.k8s.io"

DEFAULT_DENY = PolicyRef("NetworkPolicy", GROUP, "frontend", "default-deny")
ALLOW_DNS = PolicyRef("NetworkPolicy", GROUP, "frontend", "allow-dns-access")


def at(clock: str, fraction: str = "000000000", day: str = DAY) -> str:
    return f"{day}{clock}.{fraction}Z"


def pod_end(namespace: str, name: str, *pods: str, **more: Any) -> ReportEndpoint:
    return ReportEndpoint(
        kind="pod",
        namespace=namespace,
        name=name,
        pods=pods,
        workload=WorkloadRef("Deployment", name),
        labels=more.pop("labels", {"app": name}),
        known_by="record",
        **more,
    )


WEB_APP = pod_end(
    "frontend",
    "web-app",
    "web-app-d5f3fa262-dmb4f",
    "web-app-d5f3fa262-x8k2p",
    ips=("10.244.1.28", "10.244.2.11"),
    identity=19942,
    labels={"app": "web-app", "tier": "edge"},
)
PROMO = pod_end("frontend", "promo-banner", "promo-banner-6bcf9d7744-q2w9z", ips=("10.244.1.31",))
COREDNS = pod_end(
    "kube-system",
    "coredns",
    "coredns-7db6d8ff4d-l5mzx",
    "coredns-7db6d8ff4d-tq9zc",
    ips=("10.244.0.5", "10.244.0.6"),
    labels={"k8s-app": "kube-dns"},
)
USER_API = pod_end("backend", "user-api", "user-api-5c8d6f7b9-4hzjn", ips=("10.244.2.34",))
CONTENT = ReportEndpoint(
    kind="external",
    name="content.example.net",
    ips=("198.51.100.80",),
    dns_names=("content.example.net",),
    known_by="record",
)


def _problem(**fields: Any) -> Problem:
    fields.setdefault("status", None)
    fields.setdefault("fingerprint", fields["id"][2:] * 2)
    fields.setdefault("direction", "egress")
    fields.setdefault("verdict", "denied")
    fields.setdefault("reason", Reason(133, "POLICY_DENIED", "Policy denied"))
    fields.setdefault("icmp", None)
    for name in (
        "recorded",
        "isolating",
        "nearest",
        "changes",
        "explains",
        "evidence",
        "verify",
        "references",
    ):
        fields.setdefault(name, ())
    fields.setdefault("counterfactual", None)
    fields.setdefault("explained_by", None)
    fields.setdefault("advice", "")
    lead = fields["connections"][0]
    for name in ("source", "destination", "protocol", "port"):
        fields.setdefault(name, getattr(lead, name))
    fields.setdefault("count", sum(c.count for c in fields["connections"]))
    return Problem(**fields)


def _connection(
    source: ReportEndpoint,
    destination: ReportEndpoint,
    protocol: str | None,
    port: int | None,
    count: int,
    first: str | None,
    last: str | None,
) -> Connection:
    return Connection(
        source=source,
        destination=destination,
        protocol=protocol,
        port=port,
        count=count,
        first=first,
        last=last,
    )


def _nearest(namespace: str, name: str, rule: str, *misses: Miss) -> NearestRuleView:
    return NearestRuleView(
        kind="NetworkPolicy", group=GROUP, namespace=namespace, name=name, rule=rule, misses=misses
    )


def _policy_change(moment: str, kind: str, namespace: str, name: str, delta_s: float) -> ProblemChange:
    ref = ObjectRef("NetworkPolicy", GROUP, namespace, name)
    return ProblemChange(at=moment, kind=kind, object=ref, delta_s=delta_s)


def _spread(start: int, stop: int, total: int, length: int) -> tuple[int, ...]:
    """`total` over the buckets from `start` to `stop`, unevenly but always the same way."""
    weights = [(7 * i * i + 3 * i) % 11 + 4 if start <= i < stop else 0 for i in range(length)]
    row = [total * w // sum(weights) for w in weights]
    row[start] += total - sum(row)
    return tuple(row)


API_MANIFEST = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-web-app-to-user-api
  namespace: frontend
spec:
  podSelector:
    matchLabels:
      app: web-app
  policyTypes:
  - Egress
  egress:
  - to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: backend
      podSelector:
        matchLabels:
          app: user-api
    ports:
    - protocol: TCP
      port: 8080
"""

DNS_PATCH = """\
--- a/networkpolicy/frontend/allow-dns-access
+++ b/networkpolicy/frontend/allow-dns-access
@@ -10,7 +10,7 @@
   egress:
   - to:
     - namespaceSelector:
         matchLabels:
-          name: kube-system
+          kubernetes.io/metadata.name: kube-system
     ports:
     - protocol: UDP
       port: 53
"""

DNS_MANIFEST = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-dns-access
  namespace: frontend
spec:
  podSelector: {}
  policyTypes:
  - Egress
  egress:
  - to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
    ports:
    - protocol: UDP
      port: 53
"""


def dns_story() -> Report:
    """default-deny kills DNS; allow-dns-access brings names back; web-app to user-api is still refused."""
    length = 40  # 30 s each, from 14:00:00
    dns = _problem(
        id="p-3f0c55aa",
        code="FD401",
        slug="dns-blocked",
        title="DNS is blocked for frontend/web-app and frontend/promo-banner",
        severity=Severity.HIGH,
        confidence=Confidence.DERIVED,
        first=at("14:03:13", "850000000"),
        last=at("14:09:37", "390689597"),
        ongoing=False,
        connections=(
            _connection(
                WEB_APP, COREDNS, "UDP", 53, 160, at("14:03:13", "850000000"), at("14:09:37", "390689597")
            ),
            _connection(
                PROMO, COREDNS, "UDP", 53, 32, at("14:03:20", "101000000"), at("14:09:31", "004000000")
            ),
        ),
        isolating=(DEFAULT_DENY,),
        nearest=(
            _nearest(
                "frontend",
                "allow-dns-access",
                "egress[0].to[0]",
                Miss(Condition.NAMESPACE, "name=kube-system", None),
            ),
        ),
        counterfactual=Counterfactual(
            summary="select the namespace by kubernetes.io/metadata.name=kube-system",
            manifests=(DNS_MANIFEST,),
            patch=DNS_PATCH,
            proved=True,
            allows_denied=True,
            also_allows=(),
        ),
        changes=(
            _policy_change(at("14:03:12"), "created", "frontend", "default-deny", -1.85),
            _policy_change(at("14:09:40"), "created", "frontend", "allow-dns-access", 386.15),
        ),
        explains=("p-77e1d09b",),
        evidence=(
            EvidenceLine(
                "hubble/events.jsonl",
                212,
                '{"flow":{"time":"2026-03-17T14:03:13.850000000Z","verdict":"DROPPED","drop_reason":133,'
                '"IP":{"source":"10.244.1.28","destination":"10.244.0.5"},"l4":{"UDP":{"source_port":41022,'
                '"destination_port":53}},"source":{"identity":19942,"pod_name":"web-app-d5f3fa262-dmb4f"}}}',
            ),
            EvidenceLine(
                "hubble/events.jsonl",
                214,
                '{"flow":{"time":"2026-03-17T14:03:13.851000000Z","verdict":"DROPPED"}}',
            ),
        ),
        advice="Every namespace with egress rules needs a rule for DNS: UDP and TCP 53 to the cluster's resolvers.",
        verify=(
            "kubectl -n frontend exec deploy/web-app -- nslookup kubernetes.default.svc.cluster.local 10.244.0.5",
            "kubectl -n frontend describe networkpolicy default-deny",
        ),
        references=("https://kubernetes.io/docs/concepts/services-networking/network-policies/",),
        notes=("frontend/web-app → backend/user-api 8080/TCP: seen until 14:03:03, absent until 14:09:41",),
    )
    api = _problem(
        id="p-9ab4410c",
        code="FD101",
        slug="no-rule-allows",
        title="No rule lets frontend/web-app reach backend/user-api 8080/TCP",
        severity=Severity.HIGH,
        confidence=Confidence.DERIVED,
        first=at("14:09:41", "852000000"),
        last=at("14:19:55", "285467259"),
        ongoing=True,
        connections=(
            _connection(
                WEB_APP, USER_API, "TCP", 8080, 102, at("14:09:41", "852000000"), at("14:19:55", "285467259")
            ),
        ),
        isolating=(ALLOW_DNS, DEFAULT_DENY),
        nearest=(
            _nearest(
                "frontend",
                "allow-dns-access",
                "egress[0]",
                Miss(
                    Condition.NAMESPACE,
                    "kubernetes.io/metadata.name=kube-system",
                    "kubernetes.io/metadata.name=backend",
                ),
                Miss(Condition.PORT, "53", "8080"),
            ),
        ),
        counterfactual=Counterfactual(
            summary="Add NetworkPolicy frontend/allow-web-app-to-user-api to let frontend/web-app reach backend/user-api",
            manifests=(API_MANIFEST,),
            patch=None,
            proved=True,
            allows_denied=True,
            also_allows=(),
        ),
        changes=(_policy_change(at("14:09:40"), "created", "frontend", "allow-dns-access", -1.852),),
        evidence=(EvidenceLine("hubble/events.jsonl", 903, '{"flow":{"verdict":"DROPPED"}}'),),
        advice="If the call is meant, allow it at the source; the destination's namespace does not isolate it.",
        verify=(
            "kubectl -n frontend exec deploy/web-app -- nc -zvw3 user-api.backend 8080",
            "kubectl -n frontend describe networkpolicy allow-dns-access",
        ),
        references=("https://kubernetes.io/docs/concepts/services-networking/network-policies/",),
    )
    outside = _problem(
        id="p-c21f8e77",
        code="FD101",
        slug="no-rule-allows",
        title="No rule lets frontend/promo-banner reach content.example.net 443/TCP",
        severity=Severity.MEDIUM,
        confidence=Confidence.DERIVED,
        first=at("14:09:47", "004965143"),
        last=at("14:19:26", "145491303"),
        ongoing=True,
        connections=(
            _connection(
                PROMO, CONTENT, "TCP", 443, 39, at("14:09:47", "004965143"), at("14:19:26", "145491303")
            ),
        ),
        isolating=(ALLOW_DNS, DEFAULT_DENY),
        counterfactual=Counterfactual(
            summary="add an egress policy for app=promo-banner to 198.51.100.80/32, 443/TCP",
            manifests=(),
            patch=None,
            proved=False,
            allows_denied=True,
            also_allows=(
                BlastRadius(src="frontend/promo-banner", dst="198.51.100.80", protocol="TCP", ports=("443",)),
            ),
        ),
    )
    folded = _problem(
        id="p-77e1d09b",
        code="FD401",
        slug="dns-blocked",
        title="DNS over TCP is blocked for frontend/web-app",
        severity=Severity.LOW,
        confidence=Confidence.DERIVED,
        first=at("14:03:19", "850000000"),
        last=at("14:03:50", "390689597"),
        ongoing=False,
        connections=(
            _connection(
                WEB_APP, COREDNS, "TCP", 53, 4, at("14:03:19", "850000000"), at("14:03:50", "390689597")
            ),
        ),
        isolating=(DEFAULT_DENY,),
        explained_by="p-3f0c55aa",
    )
    problems = (dns, api, outside, folded)
    rows = {
        dns.id: _spread(6, 20, dns.count, length),
        api.id: _spread(19, 40, api.count, length),
        outside.id: _spread(19, 39, outside.count, length),
        folded.id: _spread(6, 8, folded.count, length),
    }
    denied = tuple(sum(column) for column in zip(*rows.values(), strict=True))
    changes = tuple(
        Change(
            at=moment,
            kind="created",
            object=ObjectRef(ref.kind, ref.group, ref.namespace, ref.name),
            by="kubectl-client-side-apply",
            text=f"NetworkPolicy {ref.namespace}/{ref.name} created",
        )
        for moment, ref in ((at("14:03:12"), DEFAULT_DENY), (at("14:09:40"), ALLOW_DNS))
    )
    timeline = [TimelineEntry(change.at, "change", None, change.text) for change in changes]
    for problem in problems[:3]:
        timeline.append(TimelineEntry(problem.first or "", "first-denial", problem.id, problem.title))
        timeline.append(TimelineEntry(problem.last or "", "last-denial", problem.id, problem.title))
    timeline.append(TimelineEntry(at("14:12:30"), "gap", None, "lost-events on worker-2: 37 records"))
    return Report(
        generator=Generator("flowdiag", "0.1.0", (ParserInfo("hubble-json", "flowdiag", "0.1.0"),)),
        created=at("14:25:00"),
        complete=False,
        window=Window(at("14:00:01", "402794064"), at("14:19:59", "145654242")),
        cluster=Cluster("shop-prod", ("cilium",), "cilium"),
        inputs=(
            Input(
                path="incident/hubble/events.jsonl",
                parser="hubble-json",
                bytes=1_893_021,
                sha256=None,
                records=1581,
                flows=1580,
                warnings=0,
                first=at("14:00:01", "402794064"),
                last=at("14:19:59", "145654242"),
                year_inferred=False,
            ),
        ),
        evidence=Evidence(
            gaps=(
                EvidenceGap(
                    node="worker-2", since=at("14:12:30"), to=at("14:13:05"), kind="lost-events", lost=37
                ),
            ),
            snapshot=SnapshotInfo(at("14:21:00"), "incident/cluster"),
            clock_skew=(),
        ),
        totals=Totals(
            records=1581,
            flows=1580,
            denied=sum(p.count for p in problems),
            audited=0,
            allowed=914,
            not_policy=7,
            unattributed=0,
        ),
        problems=problems,
        timeline=tuple(sorted(timeline, key=lambda entry: (entry.at, entry.kind))),
        buckets=Buckets(
            at("14:00:00"),
            30.0,
            BucketCounts(denied, _spread(0, 40, 914, length), rows),
        ),
        changes=changes,
        policies=(
            PolicyView(
                kind="NetworkPolicy",
                group=GROUP,
                namespace="frontend",
                name="default-deny",
                created=at("14:03:12"),
                selects=3,
                denials=337,
            ),
            PolicyView(
                kind="NetworkPolicy",
                group=GROUP,
                namespace="frontend",
                name="allow-dns-access",
                created=at("14:09:40"),
                selects=3,
                denials=141,
            ),
        ),
        not_policy=(NotPolicy("UNSUPPORTED_L3_PROTOCOL", "noise", 7, "IPv6 router solicitations of pods"),),
        warnings=(),
    )


def mixed() -> Report:
    """IPv6, a scanner, an audited policy, gaps, recorded denies, what no policy made, and little certainty."""
    checkout = pod_end(
        "shop", "checkout", "checkout-66d4f9c8b7-abcde", ips=("10.0.1.4", "2001:db8:1::4"), identity=4711
    )
    pay = pod_end("payments", "pay-api", "pay-api-7f9c4d5b8-zzzzz", ips=("10.0.2.7", "2001:db8:2::7"))
    scanner = ReportEndpoint(kind="external", name="203.0.113.0/24", ips=("203.0.113.5", "203.0.113.77"))
    node = ReportEndpoint(kind="node", name="node-a", ips=("192.0.2.10",))
    world = ReportEndpoint(kind="entity", name="world", identity=2)
    unknown = ReportEndpoint(kind="unknown", ips=("10.0.9.9",))
    service = ReportEndpoint(kind="service", namespace="payments", name="ledger", ips=("10.96.0.17",))
    day = "2026-04-21T"

    def when(clock: str) -> str:
        return at(clock, day=day)

    port = _problem(
        id="p-a1a1a1a1",
        code="FD301",
        slug="service-port-in-policy",
        title="payments/allow-checkout allows the Service's port 80; pay-api listens on 8080",
        severity=Severity.HIGH,
        confidence=Confidence.LIKELY,
        status=Status.NEW,
        first=when("09:05:32"),
        last=when("09:19:38"),
        ongoing=True,
        direction="ingress",
        connections=(_connection(checkout, pay, "TCP", 8080, 345, when("09:05:32"), when("09:19:38")),),
        recorded=(
            RecordedPolicy(
                kind="CiliumNetworkPolicy",
                group="cilium.io",
                namespace="payments",
                name="audit",
                rule=None,
                effect="deny",
            ),
        ),
        isolating=(
            PolicyRef("NetworkPolicy", GROUP, "payments", "allow-checkout"),
            PolicyRef("NetworkPolicy", GROUP, "payments", "default-deny-ingress"),
            PolicyRef("CiliumClusterwideNetworkPolicy", "cilium.io", None, "baseline"),
        ),
        nearest=(_nearest("payments", "allow-checkout", "ingress[0]", Miss(Condition.PORT, "80", "8080")),),
        counterfactual=Counterfactual(
            summary="put the pod's port 8080 in payments/allow-checkout",
            manifests=(),
            patch=None,
            proved=True,
            allows_denied=True,
            also_allows=tuple(
                BlastRadius(src=f"shop/worker-{n}", dst="payments/pay-api", protocol="TCP", ports=("8080",))
                for n in range(5)
            ),
        ),
        changes=(_policy_change(when("09:05:30"), "updated", "payments", "allow-checkout", -2.6),),
        notes=(
            (
                "40 of them were refused otherwise, the last at 2026-04-21 09:05:30 UTC (FD101 on ingress by "
                "NetworkPolicy payments/former-ingress)"
            ),
            "the policy's text of that time is not known (FD804)",
        ),
        otherwise=(
            RefusedOtherwise(
                count=40,
                last=when("09:05:30"),
                code="FD101",
                direction="ingress",
                policies=(PolicyRef("NetworkPolicy", GROUP, "payments", "former-ingress"),),
            ),
        ),
    )
    scan = _problem(
        id="p-b2b2b2b2",
        code="FD507",
        slug="outside-scan",
        title="A scan from 203.0.113.0/24 is refused at 2 nodes",
        severity=Severity.INFO,
        confidence=Confidence.RECORDED,
        status=Status.KNOWN,
        first=when("09:00:02"),
        last=when("09:19:44"),
        ongoing=None,
        direction="ingress",
        connections=(
            _connection(scanner, node, "TCP", None, 150, when("09:00:02"), when("09:19:44")),
            _connection(world, node, None, None, 48, None, None),
        ),
    )
    audit = _problem(
        id="p-c3c3c3c3",
        code="FD103",
        slug="audited",
        title="Service payments/ledger would be refused to an unknown end",
        severity=Severity.LOW,
        confidence=Confidence.POSSIBLE,
        status=Status.ACCEPTED,
        verdict="audited",
        direction=None,
        reason=Reason(None, None, None),
        first=None,
        last=None,
        ongoing=None,
        connections=(_connection(unknown, service, "ICMPv6", None, 3, None, None),),
        icmp="type 128 code 0",
    )
    length = 20
    rows = {port.id: _spread(5, 20, 345, length), scan.id: _spread(0, 20, 150, length)}
    return Report(
        generator=Generator(
            "flowdiag",
            "0.1.0",
            (
                ParserInfo("hubble-json", "flowdiag", "0.1.0"),
                ParserInfo("netfilter", "flowdiag", "0.1.0"),
                ParserInfo("acme-log", "acme-flowdiag", None),
            ),
        ),
        created=when("10:00:00"),
        complete=False,
        window=Window(when("09:00:00"), when("09:19:44")),
        cluster=Cluster(None, ("calico", "cilium"), None),
        inputs=(
            *(
                Input(
                    path=f"bundle.tar.gz!/node-{letter}/events.log",
                    parser="hubble-json",
                    bytes=900_000,
                    sha256="ab" * 32,
                    records=1226,
                    flows=1226,
                    warnings=int(letter == "b"),
                    first=when("09:00:00"),
                    last=when("09:19:44"),
                    year_inferred=letter == "b",
                )
                for letter in "ab"
            ),
            Input(
                path="bundle.tar.gz!/core.bin",
                parser=None,
                bytes=12,
                sha256=None,
                records=0,
                flows=0,
                warnings=1,
                first=None,
                last=None,
                year_inferred=False,
            ),
        ),
        evidence=Evidence(
            gaps=(
                EvidenceGap(
                    node="node-b", since=when("09:07:00"), to=when("09:09:30"), kind="lost-events", lost=1204
                ),
                EvidenceGap(node=None, since=None, to=None, kind="rate-limited", lost=None),
            ),
            snapshot=SnapshotInfo(None, None),
            clock_skew=(ClockSkew("node-b", "node-a", -2.4),),
        ),
        totals=Totals(
            records=2452, flows=2452, denied=566, audited=3, allowed=None, not_policy=22, unattributed=23
        ),
        problems=(port, audit, scan),
        timeline=(
            TimelineEntry(when("09:05:30"), "change", None, "NetworkPolicy payments/allow-checkout updated"),
            TimelineEntry(when("09:05:32"), "first-denial", port.id, port.title),
            TimelineEntry(when("09:07:00"), "gap", None, "lost-events on node-b: 1204 records"),
            TimelineEntry(when("09:11:00"), "signal", None, "node-a: policy map is full"),
        ),
        buckets=Buckets(
            when("09:00:00"),
            60.0,
            BucketCounts(tuple(map(sum, zip(*rows.values(), strict=True))), None, rows),
        ),
        changes=(
            Change(
                at=when("09:05:30"),
                kind="updated",
                object=ObjectRef("NetworkPolicy", GROUP, "payments", "allow-checkout"),
                by=None,
                text="NetworkPolicy payments/allow-checkout updated",
            ),
        ),
        policies=(
            PolicyView(
                kind="CiliumClusterwideNetworkPolicy",
                group="cilium.io",
                namespace=None,
                name="baseline",
                created=None,
                selects=None,
                denials=345,
            ),
        ),
        not_policy=(
            NotPolicy(
                "INVALID_SOURCE_IP", "configuration", 16, "packets with an address that is not the pod's"
            ),
            NotPolicy("UNSUPPORTED_L2_PROTOCOL", "noise", 6, "frames that are not IP"),
        ),
        warnings=(
            ReportWarning(
                code="truncated-line",
                message="last line is cut off",
                input="bundle.tar.gz!/node-b/events.log",
                line=1227,
            ),
            ReportWarning(
                code="not-recognised",
                message="no parser knows this file",
                input="bundle.tar.gz!/core.bin",
                line=None,
            ),
        ),
    )


def empty() -> Report:
    """Read, and nothing denied."""
    return Report(
        generator=Generator("flowdiag", "0.1.0", (ParserInfo("hubble-json", "flowdiag", "0.1.0"),)),
        created=at("14:25:00"),
        complete=True,
        window=Window(at("14:00:01"), at("14:20:00")),
        cluster=Cluster(None, ("cilium",), "cilium"),
        inputs=(
            Input(
                path="flows.jsonl",
                parser="hubble-json",
                bytes=120_000,
                sha256=None,
                records=900,
                flows=900,
                warnings=0,
                first=at("14:00:01"),
                last=at("14:20:00"),
                year_inferred=False,
            ),
        ),
        evidence=Evidence((), SnapshotInfo(at("14:21:00"), "state.yaml"), ()),
        totals=Totals(records=900, flows=900, denied=0, audited=0, allowed=900, not_policy=0, unattributed=0),
        problems=(),
        timeline=(),
        buckets=Buckets(at("14:00:00"), 60.0, BucketCounts((0,) * 21, _spread(0, 21, 900, 21), {})),
        changes=(),
        policies=(),
        not_policy=(),
        warnings=(),
    )


def nothing_known() -> Report:
    """The barest report that the types allow: no input, no time, no state."""
    return Report(
        generator=Generator("flowdiag", "0.1.0", ()),
        created=at("14:25:00"),
        complete=False,
        window=Window(None, None),
        cluster=Cluster(None, (), None),
        inputs=(),
        evidence=Evidence((), SnapshotInfo(None, None), ()),
        totals=Totals(records=0, flows=0, denied=0, audited=0, allowed=0, not_policy=0, unattributed=0),
        problems=(),
        timeline=(),
        buckets=Buckets(None, None, BucketCounts((), None, {})),
        changes=(),
        policies=(),
        not_policy=(),
        warnings=(),
    )


def on_nodes() -> Report:
    """The story with what each node recorded: nearly all on one."""
    report = dns_story()
    counts = report.buckets.counts
    worker_1 = tuple(number * 9 // 10 for number in counts.denied)
    worker_2 = tuple(number - one for number, one in zip(counts.denied, worker_1, strict=True))
    rows = {"worker-1": worker_1, "worker-2": worker_2}
    return replace(report, buckets=replace(report.buckets, counts=replace(counts, by_node=rows)))


def taken_back() -> Report:
    """`on_nodes`, and each problem's policy was changed just before: what changed, and the way back."""
    report = on_nodes()
    way = Counterfactual(
        summary="Set NetworkPolicy frontend/allow-dns-access back to what it was before 14:03:12 UTC",
        manifests=(DNS_MANIFEST,),
        patch="--- allow-dns-access\n+++ allow-dns-access\n-      app: promo-banner\n+      app: web-app\n",
        proved=True,
        allows_denied=True,
        also_allows=(
            BlastRadius(src="frontend/promo-banner", dst="backend/user-api", protocol="TCP", ports=("8080",)),
        ),
    )
    problems = tuple(
        replace(
            problem,
            revert=way,
            changes=tuple(
                replace(change, kind="modified", what="podSelector app=web-app became app=promo-banner")
                for change in problem.changes
            ),
        )
        for problem in report.problems
    )
    return replace(report, problems=problems)


def three_days() -> Report:
    """The story, slower: twenty minutes last for three days."""
    start = parse_rfc3339(at("14:00:00"))

    def slower(value: Any) -> Any:
        if isinstance(value, str):
            try:
                return rfc3339(start + (parse_rfc3339(value) - start) * 216)
            except ValueError:
                return value
        if isinstance(value, dict):
            return {key: slower(item) for key, item in value.items()}
        return [slower(item) for item in value] if isinstance(value, list | tuple) else value

    report: Report = msgspec.convert(slower(msgspec.to_builtins(dns_story())), Report)
    return replace(report, buckets=replace(report.buckets, width_s=30.0 * 216))


SAMPLES: dict[str, Callable[[], Report]] = {
    "dns-story": dns_story,
    "mixed": mixed,
    "empty": empty,
    "nothing-known": nothing_known,
}

HOSTILE = (
    "<script>alert(1)</script>",
    "]]><svg onload=alert(2)>",
    "</script><script>alert(3)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "=cmd|' /C calc'!A0",
    "+SUM(1)",
    "@here",
    "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "\x9b31m\x00\x7f\r\n\tend",
    "abc\u202egnp.exe\u2066x\u200by\ufeffz",
    "| a | b |\n|---|---|\n```\n~~~\n# head",
    "[click](https://evil.example/x) ![i](https://evil.example/y.png) <https://evil.example>",
    "https://evil.example/z?a=1&b=2",
    "[bold red]markup[/] [link=https://evil.example]x[/link]",
    "`tick` ``two`` *star* _under_ ~~gone~~ <!-- hidden -->",
    "javascript:alert(4)",
    '" onmouseover="alert(5)" \'',
    "漢字かな交じり文🙂" * 3,
    "L" * 10_000,
    "\udcff\ud800surrogate",
    "no\ufffe\uffff\ufdd0character",
    "",
    " ",
    "%s %(x)s {0} $HOME `id`",
)

_KEPT = {"schema", "severity", "confidence", "status", "condition", "explains", "explained_by"}
_TIMES = {"at", "first", "last", "since", "until", "from", "to", "start", "taken", "created"}


def hostile(texts: tuple[str, ...] = HOSTILE, *, times: bool = False, shift: int = 0) -> Report:
    """The mixed and the story's problems with every string a stranger's; with `times` those too."""
    supply = itertools.islice(itertools.cycle(texts), shift, None)
    both = msgspec.to_builtins(taken_back())
    other = msgspec.to_builtins(mixed())
    for name in ("problems", "policies", "not_policy", "warnings", "inputs", "timeline", "changes"):
        both[name] = [*both[name], *other[name]]
    return msgspec.convert(_poison(both, supply, times, key=""), Report)


def _poison(value: Any, supply: Iterator[str], times: bool, key: str) -> Any:
    if isinstance(value, str):
        kept = key in _KEPT or (key in _TIMES and not times)
        return value if kept else next(supply)
    if isinstance(value, dict):
        keyed = key in ("labels", "by_problem", "by_node")
        return {
            (next(supply) if key in ("labels", "by_node") else name): _poison(
                item, supply, times, key=name if not keyed else key
            )
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_poison(item, supply, times, key) for item in value]
    return value


SAMPLES_AND_HOSTILE: dict[str, Callable[[], Report]] = {
    **SAMPLES,
    "hostile": hostile,
    "hostile-times": lambda: hostile(times=True, shift=7),
}
