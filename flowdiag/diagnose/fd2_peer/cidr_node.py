"""FD207."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.diagnose.written_ranges import range_of_node
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity

__all__ = ["CidrForNode"]

_ENTITY = {True: "host", False: "remote-node", None: "host or remote-node"}
"""What a node is to a pod, by whether the pod runs on it."""


class CidrForNode(Rule):
    """A range covers a node's address, but Cilium knows nodes as entities, not as addresses.

    Signature:
        One rule misses only on the address, its range holds the peer's address, and the peer is a node
        (Hubble shows `host`, `remote-node` or `kube-apiserver`) under Cilium.

    Advice:
        Allow the entity, or set `policyCIDRMatchMode: nodes` and restart the agents.

    Guard:
        Silent where the agent's configuration already matches nodes by range, and for enforcers that go by
        address.

    References:
        https://github.com/cilium/cilium/issues/39573
        https://github.com/cilium/cilium/issues/20550
    """

    code = "FD207"
    slug = "cidr-for-node"
    title = "{source} cannot reach {destination} on {port}: an address range does not match nodes here"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.CILIUM | Sign.NODE_PEER | Sign.MISSES_IP,)
    specificity = 72

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        found = range_of_node(case)
        if found is None:
            return
        rule, block = found
        peer = case.peer
        entity = peer.entity or _ENTITY[case.same_node]
        yield self.finding(
            case,
            first=rule,
            summary=(
                f"{rule_text(rule)} allows {block.cidr}, which holds {peer.ip}, but that is "
                f"{end_text(peer)}, and Cilium matches nodes as entities."
            ),
            advice=(
                f"Allow the entity {entity} (toEntities, fromEntities), or set policyCIDRMatchMode: nodes "
                "and restart the agents."
            ),
            cause_key=f"cidr-node:{block.cidr}",
        )
