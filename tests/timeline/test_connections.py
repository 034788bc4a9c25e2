"""What makes refusals one connection, and how sure its finding is."""

import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

from flows import outside, pod, refusal

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Cause, Icmp
from flowdiag.model.report import Confidence
from flowdiag.timeline.group import group

WEB, API = pod("shop", "web-1", "web"), pod("pay", "api-1", "api")


def listed(*refusals):
    """(protocol, port, message, count) of all connections."""
    return sorted(
        ((c.protocol, c.port, c.icmp, c.count) for one in group(refusals) for c in one.connections), key=repr
    )


def message(kind, code, **more):
    """A refused message of ICMP."""
    one = refusal(WEB, API, None, protocol="ICMP", **more)
    distinct = replace(one.flow.distinct, icmp=Icmp(kind, code))
    return replace(one, flow=replace(one.flow, distinct=distinct))


def test_one_number_of_two_transports_is_two_connections():
    assert listed(refusal(WEB, API, 53, protocol="UDP", count=2), refusal(WEB, API, 53, count=3)) == [
        ("TCP", 53, None, 3),
        ("UDP", 53, None, 2),
    ]


def test_messages_of_icmp_are_told_apart_by_type_and_code():
    found = listed(
        message(3, 4, count=2), message(8, 0, count=3), message(8, 0, at=200, count=4), message(8, None)
    )
    assert found == [
        ("ICMP", None, "3/4", 2),
        ("ICMP", None, "8", 1),
        ("ICMP", None, "8/0", 7),
    ]


def test_messages_of_icmp_are_no_scan_with_what_has_no_port():
    found = listed(message(8, 0, count=2), refusal(WEB, API, None, protocol="ICMP", count=3))
    assert found == [("ICMP", None, "8/0", 2), ("ICMP", None, None, 3)]


@pytest.mark.parametrize(("ports", "scan"), [(8, False), (9, True)])
def test_from_nine_ports_on_it_is_a_scan(ports, scan):
    found = listed(*(refusal(WEB, API, port, count=2) for port in range(1000, 1000 + ports)))
    assert found == (
        [("TCP", None, None, 18)] if scan else [("TCP", port, None, 2) for port in range(1000, 1008)]
    )


def test_ports_of_two_transports_are_no_scan_together():
    found = listed(
        *(refusal(WEB, API, n, protocol=way, count=2) for n in range(1000, 1005) for way in ("TCP", "UDP"))
    )
    assert len(found) == 10


def test_ports_that_were_audited_are_no_scan_with_refused_ones():
    rows = [
        refusal(WEB, API, n, verdict=verdict) for n in range(1000, 1005) for verdict in ("denied", "audited")
    ]
    assert len(listed(*rows)) == 10
    faults = [
        refusal(WEB, API, n, cause=cause) for n in range(1000, 1005) for cause in (Cause.POLICY, Cause.FAULT)
    ]
    assert len(listed(*faults)) == 10


def test_a_record_without_a_port_is_no_port_of_a_scan():
    """Eight ports, and something that tells none: what it was may have been one of them."""
    found = listed(*(refusal(WEB, API, n) for n in range(1000, 1008)), refusal(WEB, API, None, count=5))
    assert len(found) == 9
    assert ("TCP", None, None, 5) in found


def test_ports_of_two_causes_are_no_scan_together():
    """Each of them is few; what is wrong with one is not what is wrong with the other."""
    found = listed(*(refusal(WEB, API, n, key=key) for n in range(1000, 1005) for key in (f"k{n % 2}",)))
    assert len(found) == 5
    more = listed(*(refusal(WEB, API, n, key=f"k{n % 2}") for n in range(1000, 1010)))
    assert len(more) == 10


@pytest.mark.parametrize("directions", [("egress", "ingress"), ("egress", None), (None, "ingress")])
def test_what_either_side_refuses_is_two_problems(directions):
    """The source in common, and the same words about both."""
    rows = [
        refusal(WEB, pod("pay", f"{name}-1", name), direction=way)
        for name, way in zip("ab", directions, strict=True)
    ]
    assert len(group(rows)) == 2


def test_the_world_by_its_word_is_outside_as_its_addresses_are():
    """Hubble's entity world has an address, which is folded into a range with the others."""
    ends = [Endpoint(kind=EndpointKind.ENTITY, entity="world", ip=f"203.0.113.{n}") for n in range(20)]
    (problem,) = group([refusal(WEB, end, 443, count=2) for end in ends])
    (same,) = group([refusal(WEB, outside(f"203.0.113.{n}"), 443, count=2) for n in range(20)])
    assert [(c.count, c.destination[3]) for c in problem.connections] == [
        (c.count, c.destination[3]) for c in same.connections
    ]


def test_an_entity_that_is_not_the_world_is_not_folded_with_addresses():
    ends = [Endpoint(kind=EndpointKind.ENTITY, entity="host", ip=f"203.0.113.{n}") for n in range(20)]
    found = group([refusal(WEB, end, 443) for end in ends])
    assert {c.destination[3] for one in found for c in one.connections}.isdisjoint({"203.0.113.0/24"})


def how_sure(*weights, turned=False):
    """How sure one connection's finding is, by (confidence, records) of its refusals in time."""
    rows = [
        replace(one, finding=replace(one.finding, confidence=word))
        for number, (word, count) in enumerate(weights)
        for one in (refusal(WEB, API, at=100 + number, count=count),)
    ]
    (problem,) = group(rows[::-1] if turned else rows)
    return problem.finding.confidence


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([(Confidence.DERIVED, 5), (Confidence.DERIVED, 5)], Confidence.DERIVED),
        ([(Confidence.DERIVED, 95), (Confidence.POSSIBLE, 5)], Confidence.POSSIBLE),
        ([(Confidence.POSSIBLE, 5), (Confidence.DERIVED, 95)], Confidence.POSSIBLE),
        ([(Confidence.DERIVED, 96), (Confidence.POSSIBLE, 4)], Confidence.DERIVED),
        ([(Confidence.POSSIBLE, 4), (Confidence.LIKELY, 6), (Confidence.RECORDED, 90)], Confidence.LIKELY),
        ([(Confidence.POSSIBLE, 2), (Confidence.RECORDED, 45), (Confidence.POSSIBLE, 3), (Confidence.RECORDED, 50)], Confidence.POSSIBLE),
    ],
)  # fmt: skip
def test_a_connection_is_as_sure_as_the_least_sure_part_of_weight(weights, expected, turned):
    """A twentieth of its records is of weight, whenever they were; a straggler is not."""
    assert how_sure(*weights, turned=turned) is expected


def test_of_findings_as_sure_the_latest_speaks():
    rows = [refusal(WEB, API, at=at) for at in (200, 100, 300)]
    rows = [
        replace(one, finding=replace(one.finding, summary=str(one.flow.first), confidence=word))
        for one, word in zip(rows, (Confidence.LIKELY, Confidence.LIKELY, Confidence.DERIVED), strict=True)
    ]
    (problem,) = group(rows)
    assert problem.finding.summary == str(200 * 10**9)
