"""What an input is taken for, and what bundles say of their files."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from flowdiag.analysis import analyze
from flowdiag.cli.main import _run
from flowdiag.ingest import Detection, Gathered, InputKind, ReadOptions, Role, deeper, recognise
from flowdiag.ingest.detect import detect
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.plugins import parsers
from flowdiag.parserkit import Block, Event, ParseContext, parse_rfc3339


class Fake:
    """Claims heads that hold its mark."""

    summary: ClassVar[str] = "a mark"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def __init__(self, name: str, mark: bytes, score: float, *, anchored: bool = False) -> None:
        self.name = name
        self.mark = mark
        self.score = score
        self.anchored = anchored

    def sniff(self, head: bytes) -> float:
        found = head.startswith(self.mark) if self.anchored else self.mark in head
        return self.score if found else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:  # noqa: ARG002
        yield from ()


class Broken(Fake):
    def sniff(self, head: bytes) -> float:
        raise RuntimeError(head)


def look(path: Path | str, *parsers: Fake, options: ReadOptions | None = None) -> Detection:
    with Gathered([str(path)]) as gathered:
        source = gathered.sources[0]
        return detect(source, recognise(gathered.sources)[source.name], parsers, options or ReadOptions())


DROP = Fake("drop-log", b"DROP", 0.95)
LINE = b"2026-01-05T10:00:00Z stdout F DROP a b\n"


ACL = (
    b'2026-01-05T10:00:00.229Z|00394|acl_log(ovn_pinctrl0)|INFO|name="%s", verdict=drop, severity=warning, '
    b"direction=to-lport: udp,vlan_tci=0x0000,dl_src=00:00:00:21:b7:d1,dl_dst=00:00:00:8d:0b:86,nw_src=10.16.0.10,"
    b"nw_dst=10.16.0.7,nw_tos=0,nw_ecn=0,nw_ttl=63,tp_src=54343,tp_dst=53\n"
)


@pytest.mark.parametrize(
    ("name", "cni"),
    [
        (b"np/default-deny-ingress.kube-system/IPv4/0", "kube-ovn"),
        (b"cnp/tenants/ingress/IPv4/1", "kube-ovn"),
        (b"NP:shop:Ingress", "ovn-kubernetes"),
        (b"shop_np", "ovn-kubernetes"),
    ],
)
def test_a_format_of_several_cnis_is_whose_its_records_are(tmp_path, name, cni):
    """Kube-OVN logs as OVN-Kubernetes does, and names its ACLs in its own way."""
    path = tmp_path / "acl.log"
    path.write_bytes(ACL % name * 3)
    with Gathered([str(path)]) as gathered:
        (found,), _ = detect_all(gathered, ReadOptions())

    assert (found.parser, found.cni) == ("ovn-acl", cni)


def test_wrappers_are_peeled_even_where_the_parser_searches_inside_lines(tmp_path):
    """A parser that likes the wrapped form as well still gets the peeled one, with node and time beside."""
    path = tmp_path / "f"
    path.write_bytes(LINE * 3)
    found = look(path, DROP)

    assert (found.kind, found.parser, found.stack) == (InputKind.EVIDENCE, "drop-log", ("cri",))


def test_no_wrapper_is_taken_off_for_nothing(tmp_path):
    """Where only the wrapped form is known, the wrapper stays."""
    path = tmp_path / "f"
    path.write_bytes(LINE * 3)

    assert look(path, Fake("iso", b"2026-01-05T", 0.9, anchored=True)).stack == ()


def test_ties_are_said(tmp_path):
    """Two that are equally sure: the first by name reads it, and the report says that it was close."""
    path = tmp_path / "f"
    path.write_bytes(b"DROP x\n")
    found = look(path, Fake("b-log", b"DROP", 0.9), Fake("a-log", b"DROP", 0.85), Fake("c-log", b"DROP", 0.7))

    assert found.parser == "b-log"
    assert [problem.code for problem in found.problems] == ["ambiguous-format"]
    assert "a-log (0.85)" in found.problems[0].message
    assert "c-log" not in found.problems[0].message
    assert [score.parser for score in found.scores] == ["b-log", "a-log", "c-log"]


class Marked(Fake):
    def denied_marks(self, head: bytes) -> tuple[bytes, ...]:
        del head
        return (self.mark,)


def test_a_tie_is_said_where_a_third_parser_has_lines_of_its_own(tmp_path):
    """Each reads its own lines, but two know the same ones; said nothing of them, the choice was nobody's."""
    path = tmp_path / "f"
    path.write_bytes(b"DROP x\nREFUSED y\n" * 3)
    found = look(
        path,
        Marked("b-log", b"DROP", 0.95),
        Marked("a-log", b"DROP", 0.95),
        Marked("c-log", b"REFUSED", 0.95),
    )

    assert (found.parser, found.others) == ("a-log", ("c-log",))
    assert [problem.code for problem in found.problems] == ["ambiguous-format"]
    assert "b-log" in found.problems[0].message


def test_no_tie_is_said_where_each_parser_has_its_own_lines(tmp_path):
    """A head with lines of two programs is no tie."""
    path = tmp_path / "f"
    path.write_bytes(b"DROP x\nREFUSED y\n" * 3)
    found = look(path, Marked("a-log", b"DROP", 0.95), Marked("c-log", b"REFUSED", 0.95))

    assert (found.parser, found.others, found.problems) == ("a-log", ("c-log",), ())


def test_unknown_says_what_was_tried(tmp_path):
    """Below 0.6 nobody gets it; the nearest are named."""
    path = tmp_path / "f"
    path.write_bytes(b"DROP x\n")
    found = look(path, Fake("weak", b"DROP", 0.5))

    assert found.kind is InputKind.UNKNOWN
    assert "weak (0.50)" in found.problems[0].message


def test_format_forces_a_parser(tmp_path):
    """--format needs no sniff, but the wrappers are still found where the parser likes what is inside."""
    path = tmp_path / "f"
    path.write_bytes(LINE)
    options = ReadOptions(format="drop-log")

    assert look(path, DROP, options=options).stack == ("cri",)
    path.write_bytes(b"nothing of that kind\n")
    assert look(path, DROP, options=options).parser == "drop-log"


def test_format_leaves_cluster_objects_alone(tmp_path):
    """A folder of evidence and state can be read with one forced format."""
    path = tmp_path / "f"
    path.write_bytes(b"kind: List\n")
    options = ReadOptions(format="drop-log", state_sniff=lambda head: 0.95 if b"kind:" in head else 0.0)

    assert look(path, DROP, options=options).kind is InputKind.STATE


def test_a_parser_that_raises_claims_nothing(tmp_path):
    """One broken plugin does not cost the others their files."""
    path = tmp_path / "f"
    path.write_bytes(b"DROP x\n")

    assert look(path, Broken("broken", b"", 1.0), DROP).parser == "drop-log"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"\x7fELF\x02\x01\x01" + bytes(2000), "binary"),
        (gzip.compress(bytes(range(256)) * 50), "binary"),
        (b"\x1f\x8b\x08\x00" + b"damaged" * 20, "corrupt"),
    ],
)
def test_what_is_no_text(tmp_path, data, code):
    """It is named, and nothing raises."""
    path = tmp_path / "f"
    path.write_bytes(data)
    found = look(path, DROP)

    assert found.kind is InputKind.UNREADABLE
    assert [problem.code for problem in found.problems] == [code]


def test_zstandard_missing_names_what_to_install(tmp_path, monkeypatch):
    """Without a reader the message is an instruction."""
    path = tmp_path / "f"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 100)
    for module in ("zstandard", "compression.zstd"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    found = look(path, DROP)

    assert found.problems[0].code == "needs-zstandard"
    assert "flowdiag[fast]" in found.problems[0].message


def test_state_is_told_from_evidence(tmp_path):
    """The caller's sniffer decides where no parser is as sure."""
    path = tmp_path / "f"
    path.write_bytes(b"kind: List\n")
    options = ReadOptions(state_sniff=lambda head: 0.95 if b"kind:" in head else 0.0)

    assert look(path, DROP, options=options).kind is InputKind.STATE
    path.write_bytes(b"DROP kind:\n")
    assert look(path, DROP, options=options).kind is InputKind.EVIDENCE


BUNDLES = {
    "cilium-sysdump-20240501-101112/k8s-pods-20240501-101112.yaml": ("cilium-sysdump", Role.STATE, {}),
    "cilium-sysdump-20240501-101112/ciliumnetworkpolicies-20240501-101112.yaml": (
        "cilium-sysdump",
        Role.STATE,
        {},
    ),
    "cilium-sysdump-20240501-101112/hubble-flows-cilium-x7k2p-20240501-101112.json": (
        "cilium-sysdump",
        Role.EVIDENCE,
        {"pod": "cilium-x7k2p", "prefer": "hubble-json"},
    ),
    "cilium-sysdump-20240501-101112/logs-cilium-x7k2p-cilium-agent-20240501-101112.log": (
        "cilium-sysdump",
        Role.EVIDENCE,
        {"pod": "cilium-x7k2p", "container": "cilium-agent"},
    ),
    "cilium-sysdump-20240501-101112/k8s-events-20240501-101112.html": ("cilium-sysdump", Role.NOISE, {}),
    "calico-diagnostics-20240501_101112/cluster/pods.yaml": ("calico-cluster-diags", Role.STATE, {}),
    "calico-diagnostics-20240501_101112/nodes/n1/calico-system/calico-node-x7k2p.log": (
        "calico-cluster-diags",
        Role.EVIDENCE,
        {"node": "n1", "namespace": "calico-system", "pod": "calico-node-x7k2p"},
    ),
    "calico-diagnostics-20240501_101112/nodes/n1/ipset-list.txt": ("calico-cluster-diags", Role.NOISE, {}),
    "diags-20240501_101112/diagnostics/ipsets": ("calico-node-diags", Role.NOISE, {}),
    "diags-20240501_101112/diagnostics/date": ("calico-node-diags", Role.NOISE, {}),
    "diags-20240501_101112/diagnostics/logs/cni/cni.log": ("calico-node-diags", Role.EVIDENCE, {}),
    "must-gather.local.1/quay-io/namespaces/shop/core/pods.yaml": ("must-gather", Role.STATE, {}),
    "must-gather.local.1/quay-io/namespaces/openshift-ovn-kubernetes/pods/ovnkube-node-abcde/ovn-acl-logging/"
    "ovn-acl-logging/logs/current.log": (
        "must-gather",
        Role.EVIDENCE,
        {
            "namespace": "openshift-ovn-kubernetes",
            "pod": "ovnkube-node-abcde",
            "container": "ovn-acl-logging",
        },
    ),
    "must-gather.local.1/quay-io/event-filter.html": ("must-gather", Role.NOISE, {}),
    "support-bundle-1/cluster-resources/namespaces.json": ("troubleshoot", Role.STATE, {}),
    "support-bundle-1/cluster-resources/network-policy/shop.json": ("troubleshoot", Role.STATE, {}),
    "support-bundle-1/cluster-resources/network-policy-errors.json": ("troubleshoot", Role.ERRORS, {}),
    "support-bundle-1/cluster-resources/pods/logs/shop/web-1/main-previous.log": (
        "troubleshoot",
        Role.EVIDENCE,
        {"namespace": "shop", "pod": "web-1", "container": "main"},
    ),
    "dump/nodes.json": ("cluster-info-dump", Role.STATE, {}),
    "dump/kube-system/pods.json": ("cluster-info-dump", Role.STATE, {}),
    "dump/kube-system/weave-net-2xkzp/logs.txt": (
        "cluster-info-dump",
        Role.EVIDENCE,
        {"namespace": "kube-system", "pod": "weave-net-2xkzp"},
    ),
    "eks_i-0123456789abcdef0_2024-05-01/var_log/aws-routed-eni/network-policy-agent.log": (
        "eks-logs",
        Role.EVIDENCE,
        {},
    ),
    "eks_i-0123456789abcdef0_2024-05-01/networking/iptables.txt": ("eks-logs", Role.NOISE, {}),
    "support-bundles_20240501T101112Z/agent_node-1/logs/networkpolicy/np.log": (
        "antrea-bundle",
        Role.EVIDENCE,
        {"node": "node-1"},
    ),
    "support-bundles_20240501T101112Z/agent_node-1/flows": ("antrea-bundle", Role.NOISE, {}),
    "plain/notes.txt": (None, None, {}),
}


def test_bundles_are_recognised_by_their_trees(tmp_path):
    """Each file's role and whose it is follow from where it lies, in one directory with many bundles."""
    for name in BUNDLES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n")
    with Gathered([str(tmp_path)]) as gathered:
        hints = recognise(gathered.sources)

    seen = {}
    for name in BUNDLES:
        hint = hints[str(tmp_path / name)]
        fields = ("node", "namespace", "pod", "container", "prefer")
        known = {field: getattr(hint, field) for field in fields if getattr(hint, field) is not None}
        seen[name] = (hint.layout, hint.role, known)
    assert seen == BUNDLES
    sysdump = hints[str(tmp_path / "cilium-sysdump-20240501-101112/k8s-pods-20240501-101112.yaml")]
    assert sysdump.taken == parse_rfc3339("2024-05-01T10:11:12Z")


@pytest.mark.parametrize(
    ("said", "kind"), [("[]", InputKind.NOISE), ('["pods is forbidden"]', InputKind.STATE)]
)
def test_kinds_that_could_not_be_collected(tmp_path, said, kind):
    """A collector's list of errors means unknown, not none; an empty list means nothing."""
    top = tmp_path / "support-bundle-1" / "cluster-resources"
    top.mkdir(parents=True)
    (top / "namespaces.json").write_text("[]")
    (top / "pods-errors.json").write_text(said)
    with Gathered([str(tmp_path)]) as gathered:
        hints = recognise(gathered.sources)
        source = next(source for source in gathered.sources if source.name.endswith("-errors.json"))
        found = detect(source, hints[source.name], [DROP], ReadOptions())

    assert found.kind is kind
    assert [problem.code for problem in found.problems] == ["no-permission"] * (kind is InputKind.STATE)


def test_noise_of_a_bundle_is_not_complained_about(tmp_path):
    """Known but uninteresting files are listed without a warning."""
    top = tmp_path / "cilium-sysdump-20240501-101112"
    top.mkdir()
    (top / "k8s-pods-20240501-101112.yaml").write_text("kind: List\n")
    (top / "metrics-cilium-x7k2p-20240501-101112.txt").write_text("x 1\n")
    with Gathered([str(tmp_path)]) as gathered:
        hints = recognise(gathered.sources)
        kinds = [detect(source, hints[source.name], [DROP], ReadOptions()) for source in gathered.sources]

    assert [(found.kind, found.problems) for found in kinds] == [
        (InputKind.STATE, ()),
        (InputKind.NOISE, ()),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("NAMESPACE   NAME    SECURITY IDENTITY   ENDPOINT STATE   IPV4       IPV6\nshop        web-1   19942               ready            10.0.1.5\n", "kubectl get"),
        ("NAME        APPLIED-TO       RULES SOURCE\n880db7e8    32ef631b-6817    2     K8sNetworkPolicy:shop/web\n", "kubectl get"),
        ("NAMESPACE   NAME              ORDER   SELECTOR\nshop        knp.default.web   1000    app == 'web'\n", "calicoctl get"),
        ("NAMESPACE   WORKLOAD   NODE     NETWORKS        INTERFACE\nshop        web-1      node-1   10.244.1.5/32   cali43878a68a0a\n", "calicoctl get"),
        ("Name:         default-deny\nNamespace:    frontend\nSpec:\n  PodSelector:     <none>\n", "kubectl describe"),
        ("NAMESPACE   NAME           POD-SELECTOR   AGE\nfrontend    default-deny   <none>         12m\n", "kubectl get"),
    ],
)  # fmt: skip
def test_what_kubectl_prints_for_people_is_told_from_objects(tmp_path, text, told):
    """No parser could read it, and what to bring instead is known."""
    (tmp_path / "policies.txt").write_text(text)
    with Gathered([str(tmp_path)]) as sources:
        _, (problem,) = detect_all(sources, ReadOptions())

    assert (problem.code, told in problem.message) == ("unknown-format", True)
    tool = "calicoctl" if "calicoctl" in told else "kubectl"
    assert f"bring {tool} get KIND -A -o yaml instead" in problem.message


SILENT = {
    "Azure's network policy manager": "I0305 23:39:31.609052       1 ai-utils.go:109] starting NPM - (NPM v2)",
    "kindnet": "I0105 10:00:02.343920       1 main.go:297] Handling node with IPs: map[192.0.2.2:{}]",
    "kube-network-policies": 'I0105 10:00:00.000001       1 controller.go:365] "Starting controller" name="kube-network-policies"',
    "a kernel's log": "[    0.000000] Linux version 6.1.0-18-amd64",
    "kube-router": "I0105 10:00:01.550351       1 network_policy_controller.go:163] Starting network policy controller",
    "Antrea": 'I0105 10:00:00.550851       1 agent.go:104] "Starting Antrea agent" version="v2.2.0"',
    "Kube-OVN": "I0105 10:00:03.550351       7 network_policy.go:255] UpdateNp Ingress, allows is [10.16.0.0/16], excepts is []",
    "Retina": '{"level":"info","ts":"2026-01-05T10:00:00Z","caller":"dropreason/dropreason_linux.go:196","msg":"Start listening"}',
    "Terway": 'time="2024-03-15T16:32:35Z" level=info msg="Starting terway of version: fd2b7b8"',
    "Tetragon": '{"process_kprobe":{"process":{"exec_id":"a"},"function_name":"tcp_connect"},"node_name":"worker-1"}',
    "tcpdump": "10:00:00.550351 IP 10.42.0.9.35218 > 10.42.0.10.80: Flags [S], seq 949388975, win 62377, length 0",
    "conntrack": "tcp      6 118 SYN_SENT src=10.42.0.9 dst=10.42.0.10 sport=35218 dport=80 [UNREPLIED] src=10.42.0.10 dst=10.42.0.9 sport=80 dport=35218 mark=0 use=1",
    "counters of Cilium": "REASON                       DIRECTION   PACKETS   BYTES   LINE   FILE",
    "Cilium's endpoints": "ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   LABELS (source:key[=value])   IPv6   IPv4   STATUS",
    "metrics": "# TYPE cilium_drop_count_total counter",
    "a node's rules": "table inet filter {",
    "a node's rules,": "Chain AZURE-NPM (1 references)",
    "a node's rules, which": "[0:0] -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
    "OpFlex agent": "[2025-May-08 13:53:04.696491] [info] [lib/Agent.cpp:670:applyProperties] Setting force_ep_undeclares to 0",
    "KubeArmor": '{"Action":"Block","Enforcer":"AppArmor","Operation":"Network","PolicyName":"DefaultPosture","Result":"Permission denied"}',
    "NSX's container plug-in": '2026-01-05T10:00:00.000Z a nsx-container-ncp - [nsx@6876 comp="nsx-container-ncp" subcomp="ncp" level="ERROR"] nsx_ujo.ncp.nsx.manager.firewall_service Failed to create rule',
    "Cilium's connection table": "TCP IN 10.0.1.5:35218 -> 10.0.2.9:8080 expires=17001 Packets=0 Bytes=0 RxFlagsSeen=0x02 LastRxReport=16990 TxFlagsSeen=0x00",
    "as Cilium's agent holds them": '[{"endpointSelector":{},"labels":[{"key":"io.cilium.k8s.policy.name","value":"deny","source":"k8s"}]}]',
    "rules that were tried": "Final verdict: DENIED",
    "OVN's": 'ingress(dp="node-1", inport="shop_web-1")',
    "dropwatch": "1 drops at nf_hook_slow+96 (0xffffffff9f8b6c06) [software]",
    "dropwatch, perf": "swapper 0 [000] 45483.977088: skb:kfree_skb: skbaddr=0xffffa04859090f00 protocol=2048 location=0xffffffff9bc92940 reason: NETFILTER_DROP",
    "bcc's tcpdrop": "TIME     PID    IP SADDR:SPORT          > DADDR:DPORT          STATE (FLAGS)",
    "counters of Envoy": "http.inbound_0.0.0.0_8080.rbac.denied: 7",
    "VPC flow log": '{"bytes_sent":"1","connection":{"dest_ip":"10.84.1.3","src_ip":"10.84.0.11"},"reporter":"SRC"}',
}


@pytest.mark.parametrize("whose", SILENT)
@pytest.mark.parametrize("around", ["", "[pod/a-1/main] "])
def test_a_log_without_refusals_is_told_what_to_bring(tmp_path, whose, around):
    """What people bring after a refusal though it never tells of one; bare, and as kubectl prints it of several pods."""
    path = tmp_path / "a.log"
    path.write_text(f"{around}{SILENT[whose]}\n" * 3)

    found = look(path, *parsers()[0])

    assert found.kind is InputKind.UNKNOWN
    (problem,) = found.problems
    assert whose in problem.message
    assert "it holds no refusal: bring " in problem.message


@pytest.mark.parametrize(
    ("whose", "text"),
    [
        ("the status of Cilium's agent", "KVStore:       Ok   Disabled\nKubernetes:    Ok   1.29 (v1.29.2) [linux/amd64]\n"),
        ("antctl's answer of a Traceflow", "name: a\nphase: Succeeded\nresults:\n- node: worker-1\n  timestamp: 1596435607\n  observations:\n  - component: SpoofGuard\n"),
    ],
)  # fmt: skip
def test_an_answer_of_several_lines_is_told_what_to_bring(tmp_path, whose, text):
    """The same where it takes more than a line to know it."""
    path = tmp_path / "a.log"
    path.write_text(text)

    (problem,) = look(path, *parsers()[0]).problems

    assert whose in problem.message
    assert "it holds no refusal: bring " in problem.message


EMPTY = {
    "gcloud": "[]\n",
    "journalctl": "-- No entries --\n",
    "an older journalctl": "-- Logs begin at Mon 2026-01-05 10:00:00 UTC, end at Mon 2026-01-05 12:00:00 UTC. --\n-- No entries --\n",
    "Loki": '{"status":"success","data":{"resultType":"streams","result":[],"stats":{"summary":{"bytes":0}}}}',
    "Elasticsearch": '{"took":3,"hits":{"total":{"value":0,"relation":"eq"},"max_score":null,"hits":[]}}',
    "CloudWatch": '{\n    "events": [],\n    "searchedLogStreams": []\n}\n',
    "Insights": '{"results": [], "statistics": {"recordsMatched": 0.0}, "status": "Complete"}',
    "Datadog": '{"data":[],"meta":{}}',
    "Azure": '{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"}],"rows":[]}]}',
}


@pytest.mark.parametrize("whose", EMPTY)
def test_an_answer_without_a_record_is_told_from_an_unknown_format(tmp_path, whose):
    """A query met nothing: no parser is missing, and nothing of the evidence is."""
    path = tmp_path / "a.json"
    path.write_text(EMPTY[whose])

    (problem,) = look(path, *parsers()[0]).problems

    assert (problem.code, problem.message[:24]) == ("empty", "an answer without a reco")


@pytest.mark.parametrize(
    "text", ['{"events":[]', '{"spec":{"events":[]}}', '[{"n":1}]', '{"data":[1],"logs":2}']
)
def test_what_only_looks_like_an_empty_answer_is_unknown(tmp_path, text):
    """A list of something, one that stands deeper, one that is cut off."""
    path = tmp_path / "a.json"
    path.write_text(text)

    assert look(path, *parsers()[0]).kind is InputKind.UNKNOWN


def test_a_quiet_log_of_weave_is_known_by_its_first_line(tmp_path):
    """Nothing was refused since it started."""
    path = tmp_path / "weave-npc.log"
    path.write_text('INFO: 2026/01/05 09:59:58.963438 Starting Weaveworks NPC 2.8.1; node name "worker-1"\n')

    assert look(path, *parsers()[0]).parser == "weave-npc"


@pytest.mark.parametrize(
    ("begins", "what"),
    [
        (bytes.fromhex("d4c3b2a1020004000000000000000000000004001a000000"), "tcpdump"),
        (bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff"), "tcpdump"),
        (b"LPKSHHRH\0\0\0\0\x01\0\0\0", "journalctl --file"),
        (b"SQLite format 3\0\x10\0\x01\x01", "SQLite"),
        (b"PAR1\x15\x04\x15\x10", "Parquet"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, begins, what):
    """What people bring too, or what stands beside a log."""
    path = tmp_path / "a"
    path.write_bytes(begins + bytes(range(256)) * 20)

    (problem,) = look(path, *parsers()[0]).problems

    assert problem.code == "binary"
    assert what in problem.message


def test_entries_that_gcloud_prints_by_default_are_told_how_to_bring(tmp_path):
    """Without --format they are YAML, which nobody reads."""
    (tmp_path / "denied.yaml").write_text(
        "---\ninsertId: 1x\njsonPayload:\n  connection:\n    dest_ip: 10.84.0.11\n    dest_port: 8080\n  disposition: deny\n"
        "logName: projects/p/logs/policy-action\nresource:\n  type: k8s_node\ntimestamp: '2026-01-05T10:00:32.445836587Z'\n"
    )
    with Gathered([str(tmp_path)]) as sources:
        _, (problem,) = detect_all(sources, ReadOptions())

    assert problem.code == "unknown-format"
    assert "--format=json" in problem.message


@pytest.mark.parametrize(
    "head",
    [
        '{\n  "schema": "flowdiag.report/1",\n  "generator": {"name": "flowdiag"}\n}\n',
        '{"at":"2026-03-03T09:05:00.000000000Z","cluster":null,"data_type":"flowdiag:report:event","log":"x"}\n',
        '{"type":"gap","at":null,"time_source":"none","parser":"hubble-json","input":"f.jsonl"}\n',
        "type,at,time_source,parser,input,line,node,verdict\ngap,,none,hubble-json,f.jsonl,1,,\n",
        "problem,code,severity,confidence,status,verdict\np-1,FD101,high,derived,,denied\n",
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="flowdiag" tests="1">\n',
        "# TYPE flowdiag_build_info gauge\n# HELP flowdiag_build_info What made the report.\n",
        "### Denied traffic: `shop`, 2026-03-03 09:00:00\n\n2 problems explain all 266 denials.\n",
        "flowdiag 0.1.0  shop (cilium)  2026-03-17 14:00:01 → 14:19:43 UTC\n1 input, 2 records, 2 flows\n",
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="flowdiag 0.1.0">\n',
        '<svg xmlns="http://www.w3.org/2000/svg" class="marks" width="975"><title id="title">Denied traffic: 2 problems</title>',
    ],
    ids=[
        "json",
        "jsonl",
        "events",
        "events-csv",
        "csv",
        "junit",
        "openmetrics",
        "markdown",
        "terminal",
        "html",
        "svg",
    ],
)
def test_what_flowdiag_wrote_is_no_evidence(tmp_path, head):
    """Reports beside the evidence, where the folder is read again: told by their text and not by their names."""
    (tmp_path / "out").write_text(head)
    with Gathered([str(tmp_path)]) as sources:
        ((found,), (problem,)) = detect_all(sources, ReadOptions())

    assert (found.kind, problem.code) == (InputKind.NOISE, "own-report")


RECORD = "WARN: 2026/01/05 10:00:06.963438 TCP connection from 10.32.0.17:43912 to 10.32.0.5:8080 blocked by Weave NPC."


@pytest.mark.parametrize(
    "formats", [[], ["-v"], ["-o", "html=out.html"], ["-o", "svg=out.svg"], ["-o", "markdown=out.md"]]
)
def test_a_report_beside_its_evidence_is_not_read_as_evidence(tmp_path, monkeypatch, capfd, formats):
    """Whatever it quotes of the records: they would count twice."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weave.log").write_text(f"{RECORD}\n" * 3)
    assert _run(["analyze", "weave.log", *formats], "flowdiag") == 0
    sys.stdout.flush()
    (tmp_path / "report.txt").write_text(capfd.readouterr().out)
    report = analyze([str(tmp_path)])

    assert [(Path(one.path).name, one.records) for one in report.inputs if one.records] == [("weave.log", 3)]
    assert report.complete


@pytest.mark.parametrize("options", [[], ["--raw"], ["-o", "csv"], ["-o", "csv", "--raw"]])
def test_events_of_flowdiag_s_own_are_not_read_as_evidence(tmp_path, capfd, options):
    """Though a parser would know the record's text in them."""
    (tmp_path / "weave.log").write_text(f"{RECORD}\n" * 3)
    assert _run(["events", str(tmp_path / "weave.log"), *options], "flowdiag") == 0
    sys.stdout.flush()
    (tmp_path / "events.out").write_text(capfd.readouterr().out)

    assert analyze([str(tmp_path)]).totals.records == 3


def test_a_record_of_somebody_else_is_not_called_flowdiags_own(tmp_path):
    """Others say where a clock has its time from, too; that nobody knows the format makes the evidence incomplete."""
    (tmp_path / "out").write_text('{"msg":"synchronised","time_source":"ntp","offset_ms":3}\n')
    with Gathered([str(tmp_path)]) as sources:
        ((found,), (problem,)) = detect_all(sources, ReadOptions())

    assert (found.kind, problem.code) == (InputKind.UNKNOWN, "unknown-format")


def test_unknown_formats_say_what_was_tried_and_what_to_do(tmp_path):
    """How many parsers were asked, behind which wrappers, who came near, and how to have one of one's own."""
    bare, wrapped = tmp_path / "bare.log", tmp_path / "wrapped.log"
    bare.write_text("something 1.2.3.4\n" * 3)
    wrapped.write_text("2026-01-05T10:00:00.1Z stdout F something 1.2.3.4\n" * 3)
    with Gathered([str(bare), str(wrapped)]) as sources:
        _, problems = detect_all(sources, ReadOptions())
    messages = {Path(problem.path).stem: problem.message for problem in problems}
    asked = len(parsers()[0])

    assert {problem.code for problem in problems} == {"unknown-format"}
    assert messages["bare"].startswith(f"none of {asked} parsers knows it; --format NAME forces one")
    assert f"none of {asked} parsers knows it, bare or behind cri" in messages["wrapped"]
    assert all(
        "'flowdiag parsers' lists them and says how to write one" in text for text in messages.values()
    )


def rotated(folder: Path, *contents: bytes) -> list[Detection]:
    """What files of one rotation are taken for, the first of them and the others."""
    for number, content in enumerate(contents):
        (folder / f"events-{number}.log").write_bytes(content)
    with Gathered([str(folder)]) as gathered:
        alone, _ = detect_all(gathered, ReadOptions(), whole=True)
        found, _ = detect_all(gathered, ReadOptions())
    assert [(one.kind, one.parser, one.stack, one.problems) for one in found] == [
        (one.kind, one.parser, one.stack, one.problems) for one in alone
    ]
    return found


def test_files_of_one_name_are_what_each_of_them_is(tmp_path):
    """Asking the first one's parser alone never changes what a file is taken for: other formats, wrappers, nothing, noise."""
    compact = b"Feb  7 13:43:46.791: shop/web-1:54842 (ID:7) <> shop/api-1:80 (ID:8) Policy denied DROPPED (TCP Flags: SYN)\n"
    wrapped = b"2026-02-07T13:43:46.9Z stdout F " + compact
    kernel = (
        b"[1.000001] calico-packet: IN=cali1 OUT=eth0 SRC=10.0.1.5 DST=192.0.2.10 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF "
        b"PROTO=TCP SPT=40001 DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )
    found = rotated(
        tmp_path, compact, compact * 2, wrapped, kernel, b"", b"what is this\n", b"\0" * 99, compact
    )

    assert [one.parser for one in found] == ["hubble-compact"] * 3 + [
        "netfilter",
        None,
        None,
        None,
        "hubble-compact",
    ]
    assert [one.stack for one in found][:3] == [(), (), ("cri",)]


def test_a_line_that_fills_the_beginning_does_not_hide_the_wrapper_whose_mark_is_at_its_end(tmp_path):
    """One file of a rotation was collected another way: its records stand inside a collector's."""
    flow = json.dumps(
        {
            "start_time": 1772445600,
            "end_time": 1772445900,
            "source_ip": None,
            "source_name": "-",
            "source_name_aggr": "web-*",
            "source_namespace": "shop",
            "dest_name_aggr": "api-*",
            "dest_namespace": "shop",
            "proto": "tcp",
            "dest_port": 8080,
            "reporter": "dst",
            "action": "deny",
            "num_flows": 1,
            "policies": None,
        }
    )
    collected = {"MESSAGE": flow, "padding": "x" * 6000, "__REALTIME_TIMESTAMP": "1770471826000000"}
    found = rotated(
        tmp_path, f"{flow}\n".encode(), f"{json.dumps(collected)}\n".encode(), f"{flow}\n".encode()
    )

    assert [one.parser for one in found] == ["calico-flowlog"] * 3
    assert [one.stack for one in found] == [(), ("journal-json",), ()]


def test_files_of_one_name_are_asked_one_parser_only(tmp_path, monkeypatch):
    """Of a rotation every parser sees the first file, and the others only the one that read it."""
    asked = []
    line = b"Feb  7 13:43:46.791: shop/web-1:54842 <> shop/api-1:80 Policy denied DROPPED (TCP Flags: SYN)\n"
    for number in range(5):
        (tmp_path / f"events-{number}.log").write_bytes(line * (number + 1))
    known, _ = parsers()
    weave = next(parser for parser in known if parser.name == "weave-npc")
    monkeypatch.setattr(type(weave), "sniff", lambda _self, head: asked.append(len(head)) or 0.0)
    with Gathered([str(tmp_path)]) as gathered:
        found, _ = detect_all(gathered, ReadOptions())

    assert [one.parser for one in found] == ["hubble-compact"] * 5
    assert asked == [len(line)]


JOURNAL = b"".join(b"Jan  5 10:00:%02d node-1 kubelet[4713]: message %d\n" % (i % 60, i) for i in range(4000))
PACKET = (
    b"calico-drop: IN=cali43878a68a0a OUT=eth0 MAC= SRC=192.0.2.5 DST=192.0.2.10 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF "
    b"PROTO=TCP SPT=40001 DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0"
)
LATE = {
    "netfilter": b"Jan  5 10:59:00 node-1 kernel: " + PACKET,
    "cilium-monitor": b"Jan  5 10:59:00 node-1 agent[7]: xx drop (Policy denied) flow 0x1 to endpoint 0, , identity 2->3: "
    b"192.0.2.5:1 -> 192.0.2.6:2 tcp SYN",
    "kube-network-policies": b"Jan  5 10:59:00 node-1 kindnetd[7]: "
    b'I0105 10:00:01.000100       1 engine.go:67] "Packet denied by egress policy" id=9',
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("parser", LATE)
def test_records_far_behind_the_head(tmp_path, parser, packed):
    """A few records among a host's other lines, all of them behind the head."""
    text = JOURNAL + LATE[parser] + b"\n" + JOURNAL
    path = tmp_path / "syslog"
    path.write_bytes(gzip.compress(text) if packed else text)
    found = look(path, *parsers()[0])

    assert (found.kind, found.parser, found.stack) == (InputKind.EVIDENCE, parser, ("syslog-rfc3164",))
    assert found.problems == ()


@pytest.mark.parametrize("indent", [None, 4])
def test_last_words_in_cluster_objects_are_no_log(tmp_path, indent):
    """``kubectl get pods -A -o json`` quotes how an agent ended, line by line."""
    words = (
        'level=warning msg="Timeout waiting for response to forwarded proxied DNS lookup" subsys=fqdn/dnsproxy\n'
        * 9
    )
    ended = {"containerStatuses": [{"name": "cilium-agent", "lastState": {"terminated": {"message": words}}}]}
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"a-{n}"}, "status": ended} for n in range(3)
    ]
    path = tmp_path / "pods.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}, indent=indent))

    assert look(path, *parsers()[0], options=ReadOptions(state_sniff=lambda _: 0.95)).kind is InputKind.STATE


def test_objects_far_behind_lines_of_text(tmp_path):
    """A record in JSON behind a long preamble: its parser judges by how a log begins."""
    flow = {
        "flow": {
            "time": "2026-01-05T10:00:00Z",
            "verdict": "DROPPED",
            "IP": {"source": "10.0.0.1", "destination": "10.0.0.2"},
            "Type": "L3_L4",
        }
    }
    path = tmp_path / "ticket.txt"
    path.write_text("a line of a ticket, in somebody's words\n" * 4000 + json.dumps(flow) + "\n")

    assert look(path, *parsers()[0]).parser == "hubble-json"


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (1, 1)], ids=["begin", "end", "middle"])
def test_a_large_log_is_looked_through_from_both_ends(tmp_path, monkeypatch, before, after):
    """What stands far from either end is not looked for, and the file is said to be unknown."""
    monkeypatch.setattr(deeper, "_REACH", len(JOURNAL) // 2)
    path = tmp_path / "syslog"
    head = JOURNAL[: JOURNAL.index(b"\n", 70_000) + 1]
    path.write_bytes(head + JOURNAL * before + LATE["netfilter"] + b"\n" + JOURNAL * after)
    found = look(path, *parsers()[0])

    assert found.kind is (InputKind.UNKNOWN if before and after else InputKind.EVIDENCE)


def test_a_packet_far_behind_the_head_of_a_journal_in_json(tmp_path):
    """``journalctl -o json`` of a whole host."""
    entries = [
        {"_HOSTNAME": "node-1", "SYSLOG_IDENTIFIER": "kubelet", "MESSAGE": f"message {n}"}
        for n in range(1000)
    ]
    entries.append({"_HOSTNAME": "node-1", "_TRANSPORT": "kernel", "MESSAGE": PACKET.decode()})
    path = tmp_path / "journal.json"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    found = look(path, *parsers()[0])

    assert (found.parser, found.stack) == ("netfilter", ("journal-json",))


def test_words_of_records_alone_are_no_records(tmp_path):
    """An application's log that speaks of denied and dropped things all day belongs to nobody."""
    path = tmp_path / "app.log"
    path.write_bytes(
        b"2026-01-05 10:00:00 DENIED drop SRC=1 REJECT deny DROPPED acl_log Evaluating packet\n" * 5000
    )

    assert look(path, *parsers()[0]).kind is InputKind.UNKNOWN


REVIEW = '{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{0}","stage":"ResponseComplete","verb":"delete","requestURI":"{1}"}}'
REFUSED = (
    "Node: node-1;SIP: 192.0.2.5;SPORT: 40001;DIP: 192.0.2.10;DPORT: 443;PROTOCOL: TCP;PolicyVerdict: DENY"
)


def exported(messages):
    """A log group of a whole cluster, as CloudWatch gives it."""
    events = [{"logStreamName": "s", "timestamp": 1767607200000, "message": message} for message in messages]
    return json.dumps({"events": events}, indent=4)


def tailed(messages):
    return "".join(f"2026-01-05T10:00:00.123456+00:00 stream-1 {message}\n" for message in messages)


@pytest.mark.parametrize("export", [exported, tailed])
def test_records_of_another_format_in_a_collector_s_export_are_found(tmp_path, export):
    """Far behind its head too: where a log group holds two kinds of log, both are read."""
    path = tmp_path / "export"
    reviews = [REVIEW.format(number, "/x" * 200) for number in range(300)]
    path.write_text(export([*reviews, REFUSED]))
    found = look(path, *parsers()[0])

    assert found.parser == "kubernetes-audit"
    assert found.others == ("aws-network-policy-agent",)
    assert found.problems == ()

    path.write_text(export(reviews))
    assert look(path, *parsers()[0]).others == ()


@pytest.mark.parametrize("export", [exported, tailed])
def test_of_two_formats_in_the_head_the_one_that_tells_refusals_is_read(tmp_path, export):
    """An audit log's changes are named as unread, not the refusals beside them."""
    path = tmp_path / "export"
    path.write_text(export([REVIEW.format(1, "/x"), REFUSED, REVIEW.format(2, "/x")]))
    found = look(path, *parsers()[0])

    assert found.parser == "aws-network-policy-agent"
