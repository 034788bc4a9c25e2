"""Azure Firewall writes a connection in one of two forms, or in both."""

import json

from flowdiag.parserkit import Block, ParseContext
from flowdiag.tally import Tally
from flowdiag_parsers.azure.firewall_log import AzureFirewall


def columns(second, action="Deny", port=44210, **more):
    """A record of the structured categories."""
    own = {"Action": action, "DestinationIp": "203.0.113.7", "DestinationPort": 5432, "Protocol": "TCP"}
    own |= {"Rule": "deny-db", "RuleCollection": "data", "SourceIp": "10.0.1.4", "SourcePort": port} | more
    return {
        "category": "AZFWNetworkRule",
        "properties": own,
        "time": f"2026-01-05T10:00:{second:02}.2494370Z",
    }


def sentence(second, action="Deny", port=44210, target="203.0.113.7:5432"):
    """The same as a record of the older ones."""
    said = f"TCP request from 10.0.1.4:{port} to {target}. Action: {action}. Policy: hub. Rule Collection Group: aks. Rule Collection: data. Rule: deny-db"
    return {
        "category": "AzureFirewallNetworkRule",
        "properties": {"msg": said},
        "time": f"2026-01-05T10:00:{second:02}.3494370Z",
    }


def counts(*inputs):
    """Verdicts and counts of the flows of some files."""
    tally = Tally()
    for number, records in enumerate(inputs):
        data = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode()
        tally.take(AzureFirewall(), Block(data=data, last=True), ParseContext(input=f"in{number}"))
    return sorted((str(flow.verdict), flow.count) for flow in tally.flows())


def test_a_refusal_that_is_written_in_both_forms_counts_once():
    """In two files, as Log Analytics exports them, and in one, as a storage account has them."""
    first = [columns(second, port=44210 + second) for second in range(10)]
    second = [sentence(second, port=44210 + second) for second in range(10)]

    assert (
        counts(first) == counts(second) == counts(first, second) == counts(first + second) == [("denied", 10)]
    )


def test_refusals_of_either_form_alone_count_each():
    """Only within the same second is one the other's."""
    early, late = [columns(second) for second in range(3)], [sentence(second) for second in range(30, 34)]

    assert counts(early, late) == [("denied", 7)]


def test_another_target_of_a_sentence_is_another_refusal():
    """What is told of one server says nothing of another."""
    assert counts([columns(1)], [sentence(1, target="203.0.113.8:5432")]) == [("denied", 1), ("denied", 1)]
