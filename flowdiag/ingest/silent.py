"""Logs that people bring after a refusal and that never tell of one: whose they are, and what to bring instead.

Components that program policies write of sets, rules and errors, not of packets.  Each is known by words that no other log has.
"""

from __future__ import annotations

import re

from flowdiag.parserkit import seek

__all__ = ["NO_REFUSAL", "binary_named", "known_to_be_silent"]

NO_REFUSAL = "it holds no refusal"
"""In the message on an input that is known, and known to tell of nothing that was refused."""

_RULES = "which tells how rules are programmed and never of a packet"
# whose log it is, what to bring instead, the words that it is known by, and what is looked for before these
_SILENT: tuple[tuple[str, str, re.Pattern[bytes], tuple[bytes, ...]], ...] = (
    (
        f"the log of Azure's network policy manager (NPM), {_RULES}",
        "hubble observe -o json of Advanced Container Networking Services, or the cluster's objects for flowdiag explain",
        # "I0305 23:39:31.609052       1 ai-utils.go:109] starting NPM - (NPM v2)"   azure-npm v1.5
        # "2024/09/10 18:32:18 [1] error: ... line-number error for line [-X azure-npm-892848623]: ..."   azure-npm v1.4
        re.compile(rb"\(NPM v[12]\)|\[-[A-Z] azure-npm-\d{4,12}\b|\bAzure-NPM creating\b|\[IPSetManager\]"),
        (b"(NPM v", b" azure-npm-", b"Azure-NPM", b"[IPSetManager]"),
    ),
    (
        f"the log of NSX's container plug-in (NCP), {_RULES}",
        "dfwpktlogs.log of the ESXi hosts, in which NSX writes what it refuses once log_dropped_traffic (log_firewall_traffic) of ncp.ini is set",
        # '... "nsx-container-ncp" subcomp="ncp" level="ERROR" ...] nsx_ujo.ncp.nsx.manager.firewall_service Failed to create ...'   NCP 2.5 to 4.1
        re.compile(rb'"nsx-container-ncp" subcomp=|\bnsx_ujo\.(?:ncp|agent)\.'),
        (b"nsx-container-ncp", b"nsx_ujo."),
    ),
    (
        "kindnet's or kube-network-policies' log without a packet that was judged",
        "it at verbosity 2 (--v=2), at which each packet is told that its policies judge, from when that was set on",
        # "I0806 15:03:27.202784       1 main.go:297] Handling node with IPs: map[172.18.0.2:{}]"   kindnet of kind v0.29
        # 'I0105 10:00:00.000001       1 controller.go:365] "Starting controller" name="kube-network-policies"'   v0.7 to v1.1
        re.compile(
            rb"\] (?:Handling node with IPs: map\[|handling current node\b)"
            rb'|"(?:Starting controller|Waiting for (?:informer )?caches to sync)" (?:name|controller)="kube-network-policies"'
        ),
        (b"andling ", b'"kube-network-policies"'),
    ),
    (
        f"kube-router's own log, {_RULES}",
        "ulogd2's text of NFLOG group 100 (syslogemu.log), to which the last rule of a pod sends what it refuses",
        # "I0105 10:00:01.550351       1 network_policy_controller.go:163] Starting network policy controller"   kube-router v2.1
        re.compile(rb"\bnetwork_(?:policy|services|routes)_controller\.go:\d{1,5}\]"),
        (b"_controller.go:",),
    ),
    (
        f"the log of Antrea's agent or controller, {_RULES}",
        "/var/log/antrea/networkpolicy/np.log of the nodes, for rules and namespaces that log; else a Traceflow (kubectl get traceflow -o yaml)",
        # 'I0105 10:00:00.550851       1 agent.go:104] "Starting Antrea agent" version="v2.2.0"'   Antrea v2.2
        # "I1027 11:53:23.899290    7564 agent.go:63] Starting Antrea agent (version v0.10.1)"      Antrea v0.10
        re.compile(rb'\] "?Starting Antrea (?:[Aa]gent|[Cc]ontroller)\b'),
        (b"Starting Antrea ",),
    ),
    (
        f"the log of Kube-OVN's controller, {_RULES}",
        "/var/log/ovn/ovn-controller.log of the nodes, for policies with the annotation ovn.kubernetes.io/enable_log",
        # "I0105 10:00:03.550351       7 network_policy.go:255] UpdateNp Ingress, allows is [10.16.0.0/16], excepts is [], ..."   v1.12
        re.compile(rb"\bUpdateNp (?:Ingress|Egress), allows is\b"),
        (b"UpdateNp ",),
    ),
    (
        "the log of Retina's agent, which counts dropped packets and names none",
        "hubble observe -o json of Retina's Hubble",
        # the caller of "Start listening for drop reason events...": "dropreason/dropreason_linux.go:196"   Retina v0.0.16
        re.compile(rb'"caller": ?"(?:dropreason|packetforward|packetparser)/'),
        (b'"caller"',),
    ),
    (
        "the log of Cisco ACI's OpFlex agent without a dropped packet",
        "it from when its drop log was on (drop_log_config of acc-provision), or the Events of pods: kubectl get events -A -o yaml",
        # "[2025-May-08 13:53:04.696491] [info] [lib/Agent.cpp:670:applyProperties] Setting force_ep_undeclares to 0"   ACI 6.1
        re.compile(
            rb"^\[\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d\.\d{6}\] \[[a-z]{4,8}\] \[[\w./-]{1,80}\.(?:cpp|h):\d{1,5}:",
            re.MULTILINE,
        ),
        (b".cpp:", b".h:"),
    ),
    (
        "Terway's log, which speaks of interfaces and addresses alone",
        "cilium monitor or hubble observe -o json of its container policy",
        # 'time="2024-03-15T16:32:35Z" level=info msg="Starting terway of version: fd2b7b8"'   Terway v1.7
        re.compile(rb"\bStarting terway of version\b"),
        (b"Starting terway",),
    ),
    (
        "Tetragon's events, which are of processes: what it stops, no network policy did",
        "hubble observe -o json",
        # '{"process_kprobe":{"process":{"exec_id":"a",...},"function_name":"tcp_connect",...},"node_name":"worker-1",...}'   Tetragon v1.1
        re.compile(rb'\{"process_(?:exec|exit|kprobe|tracepoint|lsm)": ?\{"process"'),
        (b'{"process_',),
    ),
    (
        "KubeArmor's alerts, which are of processes: what it stops, no network policy did",
        "the CNI's log or flows of that time",
        # '{"Action":"Block","ClusterName":"a",...,"Enforcer":"AppArmor",...,"Operation":"Network",...,"PolicyName":"DefaultPosture",...}'   KubeArmor 1.0
        re.compile(rb'"Enforcer": ?"(?:AppArmor|BPFLSM|SELinux|eBPF Monitor)"'),
        (b'"Enforcer"',),
    ),
    (
        "Google's VPC flow log, whose records do not say what was refused",
        "the firewall rules log (compute.googleapis.com/firewall) and GKE's policy-action log",
        # '{"bytes_sent":"1234","connection":{"dest_ip":"10.84.1.3",...},"reporter":"SRC","src_gke_details":{...},...}'   2024
        re.compile(rb'"reporter": ?"(?:SRC|DEST)(?:_GATEWAY)?"'),
        (b'"reporter"',),
    ),
    (
        "tcpdump's text, which does not say what became of a packet",
        "the CNI's log or flows of that time",
        # "10:00:00.550351 IP 10.42.0.9.35218 > 10.42.0.10.80: Flags [S], seq 949388975, win 62377, length 0"   tcpdump 4.99
        re.compile(
            rb"^(?:[0-9-]{10} )?\d\d:\d\d:\d\d\.\d{6} (?:\S{1,15} +(?:In|Out|P|B|M) +)?IP6? \S{3,60} > \S{3,60}: ",
            re.MULTILINE,
        ),
        (b" IP ", b" IP6 "),
    ),
    (
        "conntrack's entries, which do not say what became of a packet",
        "the CNI's log or flows of that time",
        # "tcp      6 118 SYN_SENT src=10.42.0.9 dst=10.42.0.10 sport=35218 dport=80 [UNREPLIED] src=10.42.0.10 ..."   conntrack 1.4
        # of conntrack -E: "    [NEW] udp      17 30 src=10.42.0.9 dst=10.96.0.10 sport=35218 dport=53 [UNREPLIED] ..."
        re.compile(
            rb"^[^\n]{0,80}\b(?:tcp|udp|sctp|icmp|icmpv6) {1,12}\d{1,3} (?:\d{1,9} )?(?:[A-Z_]{4,12} )?src=\S{2,45} dst=\S{2,45} ",
            re.MULTILINE,
        ),
        (b" src=",),
    ),
    (
        "Cilium's connection table, which does not say what became of a packet",
        "hubble observe -o json, or cilium monitor --type drop, of that time",
        # "TCP IN 10.0.1.5:35218 -> 10.0.2.9:8080 expires=17001 Packets=0 Bytes=0 RxFlagsSeen=0x02 LastRxReport=16990 TxFlagsSeen=..."   cilium bpf ct list global, 1.9 on
        re.compile(rb"\bRxFlagsSeen=0x[0-9a-f]{2} LastRxReport="),
        (b"RxFlagsSeen=",),
    ),
    (
        "the status of Cilium's agent, which tells of its health alone",
        "hubble observe -o json, or cilium monitor --type drop, of that time",
        # "KVStore:                 Ok   Disabled"   cilium status, 1.4 on; "Kubernetes:              Ok         1.29 (v1.29.2) [linux/amd64]"
        re.compile(rb"^KVStore: +\S[^\n]{0,200}\n(?:[^\n]{0,400}\n){0,6}?Kubernetes: +\S", re.MULTILINE),
        (b"KVStore:",),
    ),
    (
        "policies as Cilium's agent holds them, whose names and times are not those of objects",
        "the cluster's objects: kubectl get cnp,ccnp,networkpolicies,... -A -o yaml",
        # '[{"endpointSelector":{...},"ingress":[...],"labels":[{"key":"io.cilium.k8s.policy.derived-from","value":"...","source":"k8s"},...'   cilium policy get, 1.4 on
        re.compile(rb'"key": ?"io\.cilium\.k8s\.policy\.(?:derived-from|name|namespace|uid)"'),
        (b"io.cilium.k8s.policy.",),
    ),
    (
        "what Cilium's agent says of rules that were tried, and not of a packet",
        "the cluster's objects for flowdiag explain, and hubble observe -o json for what was refused",
        # "Final verdict: DENIED"   cilium policy trace, 1.0 to 1.13
        re.compile(rb"^Final verdict: (?:ALLOWED|DENIED)", re.MULTILINE),
        (b"Final verdict: ",),
    ),
    (
        "a trace of OVN's, of a packet that nobody sent",
        "OVN's ACL log (/var/log/ovn/acl-audit-log.log) of the nodes, and the cluster's objects for flowdiag explain",
        # 'ingress(dp="node-1", inport="shop_web-1")'   ovn-trace, OVN 2.6 on;  "ovn-trace source pod to destination pod indicates success from a to b"   ovnkube-trace
        re.compile(
            rb'^(?:ingress|egress)\(dp="[^"\n]{1,200}", (?:in|out)port="'
            rb"|\bovn-trace [^\n]{1,200}? indicates (?:success|failure) from ",
            re.MULTILINE,
        ),
        (b'gress(dp="', b"ovn-trace "),
    ),
    (
        "antctl's answer of a Traceflow, which leaves out the packet",
        "the Traceflow itself: kubectl get traceflow -o yaml",
        # "results:", "- node: worker-1", "  timestamp: 1596435607", "  observations:", "  - component: SpoofGuard"   antctl traceflow, 0.10 on
        re.compile(
            rb"^results:\r?\n *- +node: [^\n]{1,260}\n(?: +[^\n]{0,200}\n){0,4}? *(?:- +)?observations:",
            re.MULTILINE,
        ),
        (b"observations:",),
    ),
    (
        "drops as dropwatch, perf and bcc's tcpdrop tell them, which name no connection or are TCP's own",
        "pwru's or Inspektor Gadget's (trace_tcpdrop), with addresses and reasons, or the CNI's log or flows of that time",
        # "1 drops at nf_hook_slow+96 (0xffffffff9f8b6c06) [software]"   dropwatch 1.5
        # "swapper 0 [000] 45483.977088: skb:kfree_skb: skbaddr=0xffffa04859090f00 protocol=34525 location=... reason: NOT_SPECIFIED"   perf, Linux 5.17
        # "TIME     PID    IP SADDR:SPORT          > DADDR:DPORT          STATE (FLAGS)"   bcc's tcpdrop
        re.compile(
            rb"^\d{1,9} drops at \S{1,100} \(0x[0-9a-f]{1,16}\)|\bkfree_skb: skbaddr=|^TIME +PID +(?:COMM +)?(?:IP +)?SADDR:SPORT ",
            re.MULTILINE,
        ),
        (b" drops at ", b"kfree_skb: skbaddr=", b"SADDR:SPORT"),
    ),
    (
        "counters of Envoy's, which name no connection",
        "the proxy's access log (kubectl logs POD -c istio-proxy), in which each refusal by RBAC has its own line",
        # "http.inbound_0.0.0.0_8080.rbac.denied: 7"   Envoy's /stats
        re.compile(
            rb"^[\w.;:|-]{0,200}\brbac\.(?:[\w.-]{1,60}\.)?(?:allowed|denied|shadow_allowed|shadow_denied): \d",
            re.MULTILINE,
        ),
        (b"rbac.",),
    ),
    (
        "counters of Cilium's datapath, which name no ends",
        "hubble observe --verdict DROPPED -o json, or cilium monitor --type drop, of that time",
        # "REASON                       DIRECTION   PACKETS   BYTES"   cilium bpf metrics list, 1.6; with LINE and FILE since 1.13
        re.compile(rb"^ {0,8}REASON {2,80}DIRECTION +PACKETS +BYTES", re.MULTILINE | re.IGNORECASE),
        (b"DIRECTION", b"Direction"),
    ),
    (
        "a table of Cilium's endpoints or of what its policy maps allow",
        "the cluster's objects (kubectl get cnp,ccnp,ciliumendpoints,... -A -o yaml) and hubble observe -o json",
        # "ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   LABELS (source:key[=value])   IPv6   IPv4   STATUS"   1.0 on
        # "POLICY   DIRECTION   LABELS (source:key[=value])   PORT/PROTO   PROXY PORT   AUTH TYPE   BYTES   PACKETS   PREFIX"   1.17
        re.compile(rb"\bLABELS \(source:key\[=value\]\)"),
        (b"LABELS (source",),
    ),
    (
        "a kernel's log in which no rule wrote of a packet",
        "the CNI's log or flows of that time, or this log from when a rule that logs was there",
        # "[    0.000000] Linux version 6.1.0-18-amd64 (...)"   dmesg, and what is left of journalctl -k and of syslog
        re.compile(
            rb"^\[ {0,8}\d{1,8}\.\d{6}\] (?:Linux version |Command line: |[a-z0-9_.-]{2,32}(?: [0-9a-f:.]{1,16})?: )",
            re.MULTILINE,
        ),
        (b"] ",),
    ),
    (
        "metrics, which count and name no connection",
        "the CNI's log or flows of that time",
        # "# TYPE cilium_drop_count_total counter"   Prometheus' text format 0.0.4
        re.compile(
            rb"^# TYPE [A-Za-z_:][\w:]{0,200} (?:counter|gauge|histogram|summary|untyped)\b", re.MULTILINE
        ),
        (b"# TYPE ",),
    ),
    (
        "a node's rules, which tell what is to be refused and not what was",
        "the CNI's log or flows of that time, or iptables-save -c of a node with Calico or kube-router, whose counters are read",
        # "table inet filter {"   nft list ruleset, 1.0;   "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"   iptables-save 1.8
        # "Chain AZURE-NPM (1 references)"   iptables -L, 1.4 and later
        re.compile(
            rb"^(?:table (?:ip6?|inet|arp|bridge|netdev) \S{1,128} \{|(?:\[\d{1,20}:\d{1,20}\] )?-A [\w.-]{1,40} [^\n]{0,400}-j [A-Z]"
            rb"|Chain [\w.-]{1,40} \((?:policy [A-Z]{4,8}\b|\d{1,6} references\)))",
            re.MULTILINE,
        ),
        (b"table ", b"-A ", b"Chain "),
    ),
)
"""Each log is known by words that no other has; one that was rotated may have lost them."""


def known_to_be_silent(heads: list[bytes]) -> str | None:
    """Say whose log this is that holds no refusals, and what to bring instead; ``None`` for any other.

    Args:
        heads: the input's first bytes, and what wrappers leave of them.
    """
    for whose, instead, words, looked_for in _SILENT:
        if any(seek(words, head, *looked_for) is not None for head in heads):
            return f"{whose}; {NO_REFUSAL}: bring {instead}"
    return None


# what it is, what to bring instead, and how it begins
_BINARIES: tuple[tuple[str, str, tuple[bytes, ...]], ...] = (
    (
        "packets as tcpdump keeps them, which do not say what became of them",
        "the CNI's log or flows of that time",
        # pcap with microseconds and nanoseconds in both byte orders, and pcapng
        (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\n\r\r\n"),
    ),
    (
        "a journal as systemd keeps it on disk",
        "journalctl --file FILE -k -o json, for the kernel's lines, or -u UNIT",
        (b"LPKSHHRH",),
    ),
    ("a SQLite database", "the flows beside it as JSON", (b"SQLite format 3\0",)),
    ("a Parquet file", "its rows as JSON, one a line", (b"PAR1",)),
)


def binary_named(head: bytes) -> str | None:
    """Say what a file is that is no text and may hold what was looked for, and what to bring instead; ``None`` for others."""
    for what, instead, begins in _BINARIES:
        if head.startswith(begins):
            return f"{what}: bring {instead}"
    return None
