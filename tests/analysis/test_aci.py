"""Under Cisco ACI a security group's miss is a NetworkPolicy's refusal, in its log and in its Events; a contract's is not."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from small_cluster import CREATED, DENY, OBJECTS, listed, policy, write

from flowdiag.analysis import analyze

OPEN = [one for one in OBJECTS if one is not DENY]
CLOSED = policy("data", "closed", {"podSelector": {}, "policyTypes": ["Ingress"]}, created=CREATED)
LINE = (
    "[2026-Mar-17 14:03:1{second}.845663] [info] [ovs/PacketLogHandler.cpp:262:parseLog] {table} MISS  SMAC=00:22:bd:f8:19:ff "
    "DMAC=0a:58:0a:02:00:c3 ETYP=IPv4 SRC=10.0.0.5 DST=10.0.1.7 LEN=60 DSCP=0 TTL=62 ID=58352 FLAGS=2 FRAG=0 PROTO=TCP SPT=4293{second} "
    "DPT=8080 SEQ=2794802783 ACK=0 LEN=10 WINDOWS=62020 SYN  URGP=0\n"
)


def log(table):
    return {"opflex_log": "".join(LINE.format(second=second, table=table) for second in range(5))}


def told(table):
    event = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": "db.1", "namespace": "data", "uid": "u-1"},
        "involvedObject": {"kind": "Pod", "namespace": "data", "name": "db-7f6b5c4d6-k8m2n"},
        "reason": f"{table} MISS(Security Drop)",
        "message": "IPv4 packet from 10.0.0.5 to data/db-7f6b5c4d6-k8m2n was dropped",
        "type": "Warning",
        "count": 5,
        "firstTimestamp": "2026-03-17T14:03:10Z",
        "lastTimestamp": "2026-03-17T14:03:14Z",
    }
    return {"events_json": json.dumps(event) + "\n"}


@pytest.mark.parametrize("form", [log, told])
def test_a_miss_of_a_security_group_is_the_policies(form, tmp_path):
    """The isolating policy is found, and the CNI is known by its record."""
    report = analyze([write(tmp_path, **form("Acc-SEC_GROUP_IN_TABLE"), state_json=listed(*OPEN, CLOSED))])

    (problem,) = report.problems
    assert report.cluster.cni == ("aci",)
    assert (problem.code, problem.count, problem.direction) == ("FD101", 5, "ingress")
    # An Event has neither protocol nor port, so that it cannot be replayed.
    assert [one.name for one in problem.isolating] == (["closed"] if form is log else [])


@pytest.mark.parametrize("form", [log, told])
def test_a_contract_is_no_policy(form, tmp_path):
    """It is told apart, whatever the policies say."""
    report = analyze([write(tmp_path, **form("Int-POL_TABLE"), state_json=listed(*OPEN, CLOSED))])

    assert (report.totals.denied, report.totals.not_policy) == (0, 5)
