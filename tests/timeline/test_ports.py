"""How many ports were refused, where remainders say a number and not which."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.model.event import Direction, FlowEvent, Peer, Verdict
from flowdiag.tally import Limits, Tally
from flowdiag.timeline.ports import PortCount, count_ports


def flows(tried: list[tuple[str, int]], kept: int):
    """Distinct flows of pods or outside addresses that tried ports, so many of a group kept apart."""
    tally = Tally(Limits(refused_per_group=kept))
    for number, (name, port) in enumerate(tried):
        outside = name.startswith("203.")
        tally.add(
            FlowEvent(
                at=1_800_000_000_000_000_000 + number,
                line=number,
                raw="",
                verdict=Verdict.DENIED,
                direction=Direction.INGRESS,
                src=Peer(ip=name, entity="world") if outside else Peer(namespace="shop", pod=name),
                dst=Peer(namespace="shop", pod="db", port=port),
                protocol="TCP",
            ),
            "hubble",
            "in",
        )
    return tally.flows()


tries = st.lists(
    st.tuples(st.sampled_from(["web-1", "web-2", "203.0.113.7", "203.0.113.8"]), st.integers(1, 12)),
    max_size=60,
)


@given(tried=tries, kept=st.one_of(st.just(20), st.integers(1, 20)))
def test_the_number_lies_between_the_bounds(tried, kept):
    """Whatever is folded, and exact where nothing is."""
    ports = {port for _, port in tried}
    found = count_ports(flows(tried, kept))

    assert found.least <= len(ports) <= found.most
    if kept == 20:
        assert found == (len(ports), len(ports))


def test_one_scanner_is_counted_exactly():
    """Those that were kept and those that were folded are different ports."""
    assert count_ports(flows([("web-1", port) for port in range(1, 3001)], 256)) == (3000, 3000)


def test_nobody_tries_more_ports_than_there_are():
    """Four pods that try every port: their remainders may be of the same ports."""
    found = count_ports(flows([(f"web-{n}", port) for n in range(4) for port in range(1, 3001)], 256))

    assert found.least == 3000 < found.most < 12_000
    assert str(found) == "at least 3,000"
    assert PortCount(65_535, 65_535) == count_ports(flows([("web-1", n) for n in range(1, 65_536)], 256))
