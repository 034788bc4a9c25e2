"""Lines of Log rules that a host endpoint's policy may have written, and lines without a port."""

import pytest

from flowdiag.analysis import StateOptions, analyze

LINE = (
    "2026-11-03T10:12:50Z node-a kernel: [8234457.532499] calico-packet: IN=ens4 OUT=tunl0 "
    "MAC=42:01:0a:84:00:08:42:01:0a:84:00:01:08:00 SRC=198.51.100.5 DST=10.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=63 "
    "ID=9260 DF PROTO={protocol} MARK=0x4000\n"
)
TCP = "TCP SPT=44260 DPT=5432 WINDOW=28400 RES=0x00 SYN URGP=0"
STATE = """
apiVersion: v1
kind: Namespace
metadata: {name: data}
---
apiVersion: v1
kind: Pod
metadata: {name: pg, namespace: data, labels: {app: pg}}
spec: {nodeName: node-b, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.2.1}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: node-a-ens4, labels: {host: edge}}
spec: {node: node-a, interfaceName: ens4, expectedIPs: [192.0.2.1]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: POLICY}
spec: SPEC
"""


def bases(tmp_path, spec, protocol=TCP, node="node-a"):
    """Why the verdict of a line is not known."""
    log, state = tmp_path / "kern.log", tmp_path / "state.yaml"
    log.write_text(LINE.format(protocol=protocol).replace("node-a", node))
    state.write_text(STATE.replace("POLICY", "edge").replace("SPEC", spec))
    report = analyze([str(log)], state=StateOptions(paths=(str(state),)))
    assert [problem.code for problem in report.problems] == ["FD807"]
    return " ".join([*(warning.message for warning in report.warnings), report.problems[0].summary])


def edge(forward="true", log="Log"):
    return f"{{selector: host == 'edge', order: 1, types: [Ingress], applyOnForward: {forward}, ingress: [{{action: {log}}}, {{action: Deny}}]}}"


def test_a_policy_on_forward_may_have_written_the_line(tmp_path):
    """calico#873: the host endpoint's policy logs what a NodePort's client sends to a pod of another node."""
    said = bases(tmp_path, edge())

    assert "GlobalNetworkPolicy edge applies to what the host endpoint of node node-a forwards" in said
    assert "none of the policies" not in said


@pytest.mark.parametrize(
    ("spec", "node"), [(edge(forward="false"), "node-a"), (edge(log="Pass"), "node-a"), (edge(), "node-c")]
)
def test_no_other_policy_did(tmp_path, spec, node):
    """It must apply on forward, log, and select a host endpoint of the node that wrote the line."""
    assert "none of the policies at hand has a Log rule" in bases(tmp_path, spec, node=node)


def test_a_line_without_a_port_is_said_to_have_none(tmp_path):
    """The kernel prints no ports of SCTP, and a rule behind the Log rule asks for one."""
    spec = (
        "{selector: app == 'pg', types: [Ingress], ingress: [{action: Log}, "
        "{action: Allow, protocol: SCTP, destination: {ports: [3301]}}, {action: Deny}]}"
    )

    assert "the line holds no port, and" in bases(tmp_path, spec, protocol="132")
