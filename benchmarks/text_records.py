"""Logs of text parsers, generated from a seed for `benchmarks/text.py`.

4,000 kinds of connections, each as likely as the others, 5 % refused, names and addresses invented.
"""

import json
import random

__all__ = ["FORMS", "write"]

SEED = 11
KINDS = 4_000
REFUSED = 0.05


def kinds(dice):
    """Connections that come again and again: both ends, the port, and how often they are refused."""
    apps = [f"team-{n % 40}/app-{n}-7d9c{n:04x}f-{n * 7919 % 99991:05d}" for n in range(800)]
    found = []
    for _ in range(KINDS):
        src, dst = dice.sample(range(len(apps)), 2)
        port = dice.choice((80, 443, 5432, 6379, 8080, 9090))
        found.append((apps[src], 1024 + src, apps[dst], 1024 + dst, port, dice.random() < REFUSED))
    return found


def moments(dice):
    """Stamps, some records to the second; (month and clock, milliseconds)."""
    second = 0
    while True:
        second += 1
        clock = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        for number in range(40):
            yield f"Apr 21 {clock}.{number * 25 + dice.randrange(20):03d}"


def flow_texts(dice, form):
    """Records of ``hubble observe`` in one of its three forms, without end."""
    known, stamps = kinds(dice), moments(dice)
    while True:
        src, src_id, dst, dst_id, port, refused = dice.choice(known)
        here, stamp = dice.randrange(32_768, 60_999), next(stamps)
        what, verdict, arrow = (
            ("Policy denied", "DROPPED", "<>") if refused else ("to-endpoint", "FORWARDED", "->")
        )
        flags = "SYN" if refused else dice.choice(("SYN", "ACK", "ACK, PSH", "ACK, FIN"))
        if form == "compact":
            yield (
                f"{stamp} [bench/node-{src_id % 12}]: {src}:{here} (ID:{src_id}) {arrow} {dst}:{port} (ID:{dst_id}) "
                f"{what} {verdict} (TCP Flags: {flags})\n"
            )
        elif form == "table":
            yield f"{stamp}   {src}:{here}   {dst}:{port}   {what}   {verdict}   TCP Flags: {flags}\n"
        else:
            yield (
                f"  TIMESTAMP: {stamp}\n     SOURCE: {src}:{here}\nDESTINATION: {dst}:{port}\n       TYPE: {what}\n"
                f"    VERDICT: {verdict}\n    SUMMARY: TCP Flags: {flags}\n------------\n"
            )


def monitor_texts(dice):
    """Lines of ``cilium-dbg monitor``: traces, and drops with their verdicts."""
    known = kinds(dice)
    while True:
        _, src, _, dst, port, refused = dice.choice(known)
        pair = (
            f"10.{src % 12}.{src // 250}.{src % 250}:{dice.randrange(32_768, 60_999)} -> "
            f"10.{dst % 12}.{dst // 250}.{dst % 250}:{port} tcp"
        )
        mark = f"0x{dice.getrandbits(32):x}"
        if refused:
            yield (
                f"Policy verdict log: flow {mark} local EP ID {dst}, remote ID {src}, proto 6, ingress, action deny, "
                f"auth: disabled, match none, {pair} SYN\n"
                f"xx drop (Policy denied) flow {mark} to endpoint {dst}, ifindex 14, file bpf_lxc.c:2067, , "
                f"identity {src}->{dst}: {pair} SYN\n"
            )
        else:
            yield (
                f"-> endpoint {dst} flow {mark} , identity {src}->{dst} state established ifindex lxc{dst:x} "
                f"orig-ip 10.{src % 12}.{src // 250}.{src % 250}: {pair} {dice.choice(('ACK', 'ACK, PSH'))}\n"
            )


def agent_texts(dice):
    """An agent's log: mostly of no interest, now and then a policy import."""
    number = 0
    while True:
        number += 1
        clock = f"2026-04-21T{number // 36_000 % 24:02d}:{number // 600 % 60:02d}:{number // 10 % 60:02d}.{number % 10}00Z"
        if dice.random() < REFUSED:
            yield (
                f'time={clock} level=info msg="Upserted policy to repository" module=agent.controlplane.policy '
                f"resource=knp/team-{number % 40}/app-{number % 800} policyRevision={number} deletedRules=0\n"
            )
        else:
            yield (
                f"time={clock} level=info source=/go/src/github.com/cilium/cilium/pkg/endpoint/log.go:112 "
                f'msg="Rewrote endpoint BPF program" module=agent.datapath containerID={dice.getrandbits(40):x} '
                f"endpointID={dice.randrange(4000)} identity={dice.randrange(60_000)} ipv4=10.0.1.{number % 250}\n"
            )


def packet_texts(dice):
    """Lines of a Log rule in the kernel's log, as ``dmesg`` has them."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        _, src, _, dst, port, refused = dice.choice(known)
        yield (
            f"[{number // 1000:6d}.{number % 1000:06d}] {'calico-drop' if refused else 'calico-packet'}: "
            f"IN=cali{src:011x} OUT=eth0 MAC=ee:ee:ee:ee:ee:ee:02:42:{src >> 8:02x}:{src & 255:02x}:00:05:08:00 "
            f"SRC=10.{src % 12}.{src // 250}.{src % 250} DST=10.{dst % 12}.{dst // 250}.{dst % 250} LEN=60 TOS=0x00 "
            f"PREC=0x00 TTL=63 ID={dice.randrange(65_536)} DF PROTO=TCP SPT={dice.randrange(32_768, 60_999)} DPT={port} "
            "WINDOW=64240 RES=0x00 SYN URGP=0 \n"
        )


def trace_texts(dice):
    """A Log rule's lines in ``trace_pipe``."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        _, src, _, dst, port, refused = dice.choice(known)
        yield (
            f"            curl-{number % 90_000:<7d} [00{number % 8}] ..s2. {number // 1000:6d}.{number % 1000:06d}: "
            f"bpf_trace_printk: cali{src:011x}-E: policy {'DENIED ' if refused else 'ALLOWED'} proto 6 "
            f"src 10.{src % 12}.{src // 250}.{src % 250}:{dice.randrange(32_768, 60_999)} "
            f"dest 10.{dst % 12}.{dst // 250}.{dst % 250}:{port}\n"
        )


def node_texts(dice):
    """calico-node's log: mostly of no interest, now and then a policy."""
    number = 0
    while True:
        number += 1
        clock = f"2026-04-21 {number // 36_000 % 24:02d}:{number // 600 % 60:02d}:{number // 10 % 60:02d}.{number % 10}00"
        if dice.random() < REFUSED:
            yield (
                f"{clock} [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActivePolicyUpdate update from "
                f'calculation graph. msg=id:{{tier:"default"  name:"team-{number % 40}/knp.default.app-{number % 800}"}}\n'
            )
        else:
            yield (
                f"{clock} [INFO][70] felix/table.go 590: Chain became referenced, marking it for programming "
                f'chainName="cali-tw-cali{dice.getrandbits(44):011x}" ipVersion=0x4 table="filter"\n'
            )


def whisker_texts(dice):
    """Whisker's records, one a line."""
    known = kinds(dice)
    second = 0
    while True:
        second += 1
        clock = f"2026-04-21T{second // 240_000 % 24:02d}:{second // 4_000 % 60:02d}:{second // 1_000 % 4 * 15:02d}Z"
        src, src_id, dst, dst_id, port, refused = dice.choice(known)
        ends = [one.split("/") for one in (src, dst)]
        hit = {
            "kind": "NetworkPolicy",
            "name": f"app-{dst_id}",
            "namespace": ends[1][0],
            "tier": "default",
            "action": "Deny" if refused else "Allow",
            "policy_index": 0,
            "rule_index": 0,
            "trigger": None,
        }
        record = {
            "start_time": clock,
            "end_time": clock,
            "action": hit["action"],
            "source_name": f"{ends[0][1][:-5]}*",
            "source_namespace": ends[0][0],
            "source_labels": f"app=app-{src_id} | tier=web",
            "dest_name": f"{ends[1][1][:-5]}*",
            "dest_namespace": ends[1][0],
            "dest_labels": f"app=app-{dst_id} | tier=api",
            "protocol": "tcp",
            "dest_port": port,
            "reporter": "Dst",
            "policies": {"enforced": [hit], "pending": [hit]},
            "packets_in": dice.randrange(1, 99),
            "packets_out": dice.randrange(1, 99),
            "bytes_in": dice.randrange(9_999),
            "bytes_out": dice.randrange(9_999),
        }
        yield json.dumps(record, separators=(",", ":")) + "\n"


def agent_flow_texts(dice):
    """Verdicts of the AWS network policy agent v1.2.2 and later."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        clock = f"2026-04-21T{number // 144_000 % 24:02d}:{number // 2_400 % 60:02d}:{number // 40 % 60:02d}.{number % 40 * 25:03d}Z"
        _, src, _, dst, port, refused = dice.choice(known)
        yield (
            f'{{"level":"info","ts":"{clock}","caller":"runtime/asm_arm64.s:1223","msg":"Flow Info: '
            f"Src IP: 10.{src % 12}.{src // 250}.{src % 250} Src Port: {dice.randrange(32_768, 60_999)} "
            f"Dest IP: 10.{dst % 12}.{dst // 250}.{dst % 250} Dest Port: {port} Proto TCP "
            f'Verdict {"DENY" if refused else "ACCEPT"} Direction ingress, Tier NETWORK_POLICY"}}\n'
        )


def acl_texts(dice):
    """OVN's ACL log: some lines a second, below the limit of a node."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        clock = f"2026-04-21T{number // 54_000 % 24:02d}:{number // 900 % 60:02d}:{number // 15 % 60:02d}.{number % 15 * 60:03d}Z"
        _, src, _, dst, port, refused = dice.choice(known)
        yield (
            f'{clock}|{number:05d}|acl_log(ovn_pinctrl0)|INFO|name="NP:team-{dst % 40}:{"Ingress" if refused else "app"}", '
            f"verdict={'drop' if refused else 'allow'}, severity=info, direction=to-lport: tcp,vlan_tci=0x0000,"
            f"dl_src=0a:58:0a:81:{src >> 8:02x}:{src & 255:02x},dl_dst=0a:58:0a:82:{dst >> 8:02x}:{dst & 255:02x},"
            f"nw_src=10.{src % 12}.{src // 250}.{src % 250},nw_dst=10.{dst % 12}.{dst // 250}.{dst % 250},nw_tos=0,nw_ecn=0,"
            f"nw_ttl=62,nw_frag=no,tp_src={dice.randrange(32_768, 60_999)},tp_dst={port},tcp_flags=syn\n"
        )


def np_texts(dice):
    """Antrea's np.log, v1.13 and later; a refusal in three stands for several packets."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        clock = f"2026/04/21 {number // 144_000 % 24:02d}:{number // 2_400 % 60:02d}:{number // 40 % 60:02d}.{number % 40 * 25_000:06d}"
        _, src, dst_pod, dst, port, refused = dice.choice(known)
        how = (
            f"IngressDefaultRule K8sNetworkPolicy <nil> Ingress Drop <nil> {dst_pod}"
            if refused
            else f"AntreaPolicyIngressRule AntreaNetworkPolicy:team-{dst % 40}/app allow-{port} Ingress Allow 14900 {dst_pod}"
        )
        several = " [3 packets in 1.011379442s]" if refused and dice.random() < 0.3 else ""
        yield (
            f"{clock} {how} 10.{src % 12}.{src // 250}.{src % 250} {dice.randrange(32_768, 60_999)} "
            f"10.{dst % 12}.{dst // 250}.{dst % 250} {port} TCP 60 <nil>{several}\n"
        )


def row_texts(dice):
    """Rows of Antrea's FlowAggregator."""
    known = kinds(dice)
    second = 1_776_729_600
    number = 0
    while True:
        number += 1
        src, src_id, dst, dst_id, port, refused = dice.choice(known)
        ends = [one.split("/") for one in (src, dst)]
        start = second + number // 40
        yield (
            f"{start},{start + 60},10.{src_id % 12}.{src_id // 250}.{src_id % 250},10.{dst_id % 12}.{dst_id // 250}.{dst_id % 250},"
            f"{dice.randrange(32_768, 60_999)},{port},TCP,{ends[0][1]},{ends[0][0]},node-{src_id % 12},{ends[1][1]},{ends[1][0]},"
            f"node-{dst_id % 12},10.96.0.{dst_id % 250},10.96.0.{dst_id % 250},{port},{ends[1][0]}/app:http,app,{ends[1][0]},rule-1,"
            f"{'Drop' if refused else 'Allow'},AntreaNetworkPolicy,,,,Invalid,Invalid,,,\n"
        )


def vpc_texts(dice):
    """VPC flow records in the default order; a refusal in three stands for several packets."""
    known = kinds(dice)
    second = 1_776_729_600
    number = 0
    while True:
        number += 1
        _, src, _, dst, port, refused = dice.choice(known)
        start = second + number // 40
        packets = dice.choice([1, 1, 3]) if refused else dice.randrange(1, 900)
        yield (
            f"2 123456789010 eni-{dst:017x} 10.{src % 12}.{src // 250}.{src % 250} 10.{dst % 12}.{dst // 250}.{dst % 250} "
            f"{dice.randrange(32_768, 60_999)} {port} 6 {packets} {packets * 60} {start} {start + 59} "
            f"{'REJECT' if refused else 'ACCEPT'} OK\n"
        )


def npc_texts(dice):
    """Lines of Weave's policy controller: all are refusals, one in four of them twice."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        clock = f"2026/04/21 {number // 144_000 % 24:02d}:{number // 2_400 % 60:02d}:{number // 40 % 60:02d}"
        _, src, _, dst, port, _ = dice.choice(known)
        text = (
            f"TCP connection from 10.{src % 12}.{src // 250}.{src % 250}:{dice.randrange(32_768, 60_999)} to "
            f"10.{dst % 12}.{dst // 250}.{dst % 250}:{port} blocked by Weave NPC.\n"
        )
        micros = number % 40 * 25_000
        yield f"WARN: {clock}.{micros:06d} {text}"
        if dice.random() < 0.25:
            yield f"WARN: {clock}.{micros + 34:06d} {text}"


def ulogd_texts(dice):
    """Packets that kube-router refused: a line of each policy of the pod, and the last rule's."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        clock = f"Apr 21 {number // 54_000 % 24:02d}:{number // 900 % 60:02d}:{number // 15 % 60:02d}"
        _, src, _, dst, port, _ = dice.choice(known)
        packet = (
            f"IN=cni0 OUT=cni0 MAC=a6:7c:4a:a7:{src >> 8:02x}:{src & 255:02x}:06:15:37:ba:{dst >> 8:02x}:{dst & 255:02x}:08:00 "
            f"SRC=10.{src % 12}.{src // 250}.{src % 250} DST=10.{dst % 12}.{dst // 250}.{dst % 250} LEN=60 TOS=00 PREC=0x00 TTL=64 "
            f"ID={dice.randrange(65_536)} DF PROTO=TCP SPT={dice.randrange(32_768, 60_999)} DPT={port} "
            f"SEQ={dice.getrandbits(32)} ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 \n"
        )
        yield (
            f"{clock} node-{dst % 12} DROP by policy team-{dst % 40}/app {packet}{clock} node-{dst % 12}  {packet}"
        )


def judged_texts(dice):
    """kube-network-policies at verbosity 2: each packet, its bytes, and the verdict."""
    known = kinds(dice)
    number = 0
    while True:
        number += 1
        clock = f"I0421 {number // 144_000 % 24:02d}:{number // 2_400 % 60:02d}:{number // 40 % 60:02d}"
        src, src_id, dst, dst_id, port, refused = dice.choice(known)
        micros = number % 40 * 25_000
        where = "      1 engine.go:67]"
        yield (
            f'{clock}.{micros:06d} {where} "Evaluating packet" id={number % 65_536} direction="Ingress" srcPod="{src}" dstPod="{dst}" '
            f"packet=<\n\t[{number % 65_536}] 10.{src_id % 12}.{src_id // 250}.{src_id % 250}:{dice.randrange(32_768, 60_999)} "
            f"10.{dst_id % 12}.{dst_id // 250}.{dst_id % 250}:{port} TCP\n"
            "\t00000000  00 00 a0 02 fa f0 19 33  00 00 02 04 05 b4 04 02  |.......3........|\n"
            "\t00000010  08 0a 5c 2d 33 d8 00 00  00 00 01 03 03 07 00 00  |..-3............|\n >\n"
            f'{clock}.{micros + 90:06d} {where} "Packet {"denied by ingress" if refused else "accepted by"} policy" id={number % 65_536}\n'
            f'{clock}.{micros + 95:06d} {where} "Finished syncing packet" id={number % 65_536} duration="102µs" '
            f'verdict="{"drop" if refused else "accept"}"\n'
        )


FORMS = {
    "aws-network-policy-agent": (agent_flow_texts, "", "DENY"),
    "hubble-compact": (lambda dice: flow_texts(dice, "compact"), "TIMESTAMP", "DROPPED"),
    "hubble-dict": (lambda dice: flow_texts(dice, "dict"), "TIMESTAMP", "DROPPED"),
    "hubble-table": (lambda dice: flow_texts(dice, "table"), "TIMESTAMP", "DROPPED"),
    "cilium-monitor": (monitor_texts, "", "xx drop"),
    "cilium-agent-log": (agent_texts, "", "Upserted"),
    "calico-log": (node_texts, "", "ActivePolicyUpdate"),
    "calico-flowlog": (whisker_texts, "", "Deny"),
    "calico-bpf": (trace_texts, "", "DENIED"),
    "netfilter": (packet_texts, "", "calico-drop"),
    "ovn-acl": (acl_texts, "", "verdict=drop"),
    "antrea-np-log": (np_texts, "", " Drop "),
    "antrea-flows": (row_texts, "", ",Drop,"),
    "aws-vpc-flow": (vpc_texts, "", "REJECT"),
    "kube-network-policies": (judged_texts, "", "denied by"),
    "nflog": (ulogd_texts, "", "DROP by policy"),
    "weave-npc": (npc_texts, "", "blocked by"),
}
"""Parser -> (records, header, what grep looks for)."""


def write(path, form, size):
    """A file of about `size` bytes."""
    make, _, _ = FORMS[form]
    left = size
    with path.open("w", encoding="utf-8") as out:
        if form == "hubble-table":
            out.write("TIMESTAMP   SOURCE   DESTINATION   TYPE   VERDICT   SUMMARY\n")
        for text in make(random.Random(SEED)):
            out.write(text)
            left -= len(text)
            if left <= 0:
                break
