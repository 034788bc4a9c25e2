"""Lines that look like denials and may be none: recognised, and said in the report."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import CREATED, at, listed, namespace, pod, policy, write

from flowdiag.analysis import EvidenceOptions, analyze

WEB, DB, FRESH, API = "10.0.0.5", "10.0.1.7", "10.0.0.9", "10.100.0.1"
INGRESS = {"podSelector": {}, "policyTypes": ["Ingress"]}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "kubernetes", "namespace": "default"},
    "spec": {"clusterIP": API, "clusterIPs": [API], "ports": [{"port": 443, "targetPort": 6443}]},
}
STATE = listed(
    *(namespace(name) for name in ("shop", "data", "default")),
    pod("shop", "web-5d9c7b6f4-x2v4z", WEB, "web"),
    pod("data", "db-7f6b5c4d6-k8m2n", DB, "db"),
    pod("shop", "fresh-5d9c7b6f4-k8m2n", FRESH, "fresh", created=at(0)[:19] + "Z"),
    SERVICE,
    policy("shop", "closed", INGRESS, created=CREATED),
    policy("data", "open", {**INGRESS, "ingress": [{}]}, created=CREATED),
)


def agent(second, src, source_port, dst, port, direction):
    """A line of the AWS policy agent, v1.2.2 to v1.2.7."""
    message = (
        f"Flow Info: Src IP: {src} Src Port: {source_port} Dest IP: {dst} Dest Port: {port} Proto TCP "
        f"Verdict DENY Direction {direction}"
    )
    stamp = f"{at(second)[:23]}Z"
    return json.dumps({"level": "info", "ts": stamp, "caller": "events/events.go:193", "msg": message}) + "\n"


def report(folder, log, state=STATE, **options):
    files = {"node_log": log} | ({"state_json": state} if state else {})
    return analyze([write(folder, **files)], evidence=EvidenceOptions(**options))


@pytest.mark.parametrize(("server", "port"), [(API, 443), (DB, 8080)], ids=["cluster-ip", "pod"])
def test_aws_replies_are_no_connections(tmp_path, server, port):
    """The conntrack race of the agent: the answer comes from a well-known port (aws-network-policy-agent#127, #462)."""
    log = "".join(agent(second, server, port, WEB, 45678, "ingress") for second in (1, 3))
    (problem,) = report(tmp_path, log).problems

    assert (problem.code, problem.count) == ("FD602", 2)
    assert "Add no rule for ephemeral ports" in problem.advice
    assert problem.counterfactual is None


def test_aws_start_up(tmp_path):
    """Denied in the first seconds of a pod that the policies let out (aws-network-policy-agent#487)."""
    log = "".join(agent(second, FRESH, 45000 + second, DB, 8080, "egress") for second in (1, 2, 3))
    (problem,) = report(tmp_path, log).problems

    assert (problem.code, problem.severity) == ("FD601", "low")
    assert "after pod shop/fresh-5d9c7b6f4-k8m2n started" in problem.summary


def test_aws_egress_of_a_pod_that_only_ingress_policies_select(tmp_path):
    """aws-network-policy-agent#582: record against replay, with the known fault named."""
    log = agent(100, DB, 45000, "203.0.113.9", 443, "egress")
    (problem,) = report(tmp_path, log).problems

    assert problem.code == "FD806"
    assert [note for note in problem.notes if "only ingress policies select: possibly false" in note]


def ulogd(prefix, ident=7):
    return (
        f"Mar  1 12:00:01 node-a {prefix} IN=cni0 OUT=cni0 MAC=a6:7c:4a:a7:8e:7c:06:15:37:ba:07:a9:08:00 SRC={WEB} DST={DB} "
        f"LEN=60 TOS=00 PREC=0x00 TTL=64 ID={ident} DF PROTO=TCP SPT=35218 DPT=8080 SEQ=1 ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 \n"
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [(None, "a denial here is possibly false"), (STATE, "possibly false; the policies at hand let it pass")],
)
def test_k3s_policy_line_without_a_refusal(tmp_path, state, said):
    """k3s v1.27.7 to the releases of February 2024 logged what passed (k3s-io/k3s#9032): counted as no denial."""
    found = report(tmp_path, ulogd("DROP by policy data/open"), state, year=2026)
    (problem,) = found.problems

    assert (problem.code, problem.verdict, found.totals.denied) == ("FD807", "logged", 0)
    assert "k3s v1.27.7 to the releases of February 2024" in problem.summary
    assert said in problem.summary
    assert "Change no policy for this line alone" in problem.advice


def test_k3s_policy_line_with_its_refusal(tmp_path):
    """The line without a prefix is the refusal: one packet, one denial."""
    found = report(tmp_path, ulogd("DROP by policy shop/closed") + ulogd(""), None, year=2026)

    assert (found.totals.denied, [problem.code for problem in found.problems]) == (1, ["FD101"])


def test_ufw_block_of_a_forwarded_packet(tmp_path):
    """Flannel's rules stand behind ufw's and accept it: only logged, and said why."""
    log = (
        "2026-03-01T12:00:01.000000+00:00 node-a kernel: [UFW BLOCK] IN=cni0 OUT=flannel.1 MAC= SRC=10.0.0.5 DST=10.0.1.7 "
        "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40000 DPT=8080 WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )
    found = report(tmp_path, log)
    (problem,) = found.problems

    assert (problem.code, found.totals.denied, found.totals.not_policy) == ("FD807", 0, 0)
    assert "ufw only logs what it does not forward itself" in problem.summary


def test_ufw_block_at_the_node_is_the_nodes_firewall(tmp_path):
    """A packet to the node itself ends there: refused, by no policy."""
    log = (
        "2026-03-01T12:00:01.000000+00:00 node-a kernel: [UFW BLOCK] IN=eth0 OUT= MAC= SRC=198.51.100.7 DST=192.168.7.1 "
        "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40000 DPT=22 WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )
    found = report(tmp_path, log)

    assert (found.problems, found.totals.not_policy) == ((), 1)
    assert found.not_policy[0].text == "the node's own firewall (ufw) refused it"


def test_antrea_lines_come_late(tmp_path):
    """A line is written at the end of a second's window, with the number of its packets."""
    log = (
        "2026/03/01 12:00:02.000855 IngressDefaultRule K8sNetworkPolicy <nil> Ingress Drop <nil> data/db-7f6b5c4d6-k8m2n "
        "10.0.0.5 40000 10.0.1.7 8080 TCP 60 <nil> [3 packets in 1.000855539s]\n"
    )
    (problem,) = report(tmp_path, log, None).problems

    assert problem.count == 3
    assert [note for note in problem.notes if "the first packet may lie up to a second before" in note]


def acl(index):
    return (
        f'2026-03-01T12:00:01.{index:03d}Z|{index:05d}|acl_log(ovn_pinctrl0)|INFO|name="NP:shop:Ingress", verdict=drop, '
        f"severity=alert, direction=to-lport: tcp,nw_src={DB},nw_dst={WEB},tp_src={40000 + index},tp_dst=8080,tcp_flags=syn\n"
    )


@pytest.mark.parametrize(("lines", "limited"), [(19, False), (20, True), (30, True)])
def test_ovn_rate_limit(tmp_path, lines, limited):
    """ovnkube logs 20 lines a second and node: a full second is a gap, and counts are lower bounds."""
    found = report(tmp_path, "".join(acl(index) for index in range(lines)))
    (problem,) = found.problems

    assert bool([gap for gap in found.evidence.gaps if gap.kind == "rate-limited"]) is limited
    assert bool([note for note in problem.notes if "counts are lower bounds (FD805)" in note]) is limited


def test_stamps_without_a_year_ask_for_one(tmp_path):
    """Nothing is guessed from today's date: the report says which option places them."""
    warnings = [one.message for one in report(tmp_path, ulogd(""), None).warnings if one.code == "no-times"]

    assert len(warnings) == 1
    assert "--year" in warnings[0]
