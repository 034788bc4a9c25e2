"""Messages of cilium-agent, cilium-operator and hubble-relay that matter to a diagnosis.

Each signal stands with the message it is known by and a line as the component writes it.
Sources: cilium-cli ``connectivity/tests/errors.go`` of 1.20 and dated issues; those marked (hint) were not
seen in source and are kept because a wrong label on a log line accuses nobody.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from msgspec import Struct

__all__ = ["SIGNALS", "Signal", "signal_of"]


class Signal(Struct, frozen=True):
    """A stable code, how its message reads, and a sample."""

    code: str
    pattern: str
    sample: str
    in_error: bool = False
    """The words stand in the ``error`` field too, whatever the message says."""


SIGNALS: tuple[Signal, ...] = (
    Signal(
        "policy-map-full",
        r"policy ?map .{0,200}(?:overflow|lockdown|full|pressure)|the map is full.{0,80}resiz"
        r"|cilium_policy_\w+ map .{0,80}full",
        'level=error msg="Failed to add PolicyMap key" bpfMapKey="{40592 0 0 0}" endpointID=2913 error="Unable to '
        "update element for cilium_policy_02913 map with file descriptor 245: the map is full, please consider "
        'resizing it. argument list too long" identity=21047 subsys=endpoint',
        in_error=True,
    ),
    Signal(
        "ipam-exhausted",
        r"range is full|No more IPs available|postIpamFailure|Instance is out of interfaces",
        'level=fatal msg="Error while allocating cilium-health IP" error="range is full" subsys=daemon',
        in_error=True,
    ),
    Signal(
        "policy-map-error",
        r"^Failed to (?:add|delete|update) PolicyMap key|syncPolicyMap failed",
        'level=error msg="Failed to add PolicyMap key" endpointID=2913 error="invalid argument" subsys=endpoint',
    ),
    Signal(
        "policy-imported",
        r"^Upserted policy to repository|^Policy Add Request|^Policy imported via API|^Imported CiliumNetworkPolicy"
        r"|^(?:Added|Updated) CiliumNetworkPolicy|^NetworkPolicy successfully added",
        'time=2026-03-17T14:03:13Z level=info msg="Upserted policy to repository" '
        "module=agent.controlplane.policy resource=knp/frontend/default-deny policyRevision=41 deletedRules=0",
    ),
    Signal(
        "policy-deleted",
        r"^Deleted policy from repository|^Policy Delete Request|^Policy deleted via API"
        r"|^Deleted CiliumNetworkPolicy|^NetworkPolicy successfully (?:deleted|removed)",
        'time=2026-03-17T14:03:13Z level=info msg="Deleted policy from repository" '
        "module=agent.controlplane.policy resource=knp/frontend/default-deny policyRevision=42 deletedRules=1",
    ),
    Signal(
        "policy-rejected",
        r"^Unable to add CiliumNetworkPolicy|^Error while (?:parsing|adding)\b.{0,80}[Pp]olicy"
        r"|^Cilium(?:Clusterwide)?NetworkPolicy contains illegal namespace match|^Unable to parse (?:Cilium)?NetworkPolicy",
        'level=warning msg="CiliumNetworkPolicy contains illegal namespace match. Subject will always be in '
        'namespace of policy" ciliumNetworkPolicyName=allow-dns k8sNamespace=frontend subsys=k8s-watcher',
    ),
    Signal(
        "endpoint-regeneration-failed",
        r"^Regeneration of endpoint failed|^endpoint regeneration failed|^Error while rewriting endpoint BPF program"
        r"|^generating BPF for endpoint failed|^JoinEP: ",
        'level=warning msg="Regeneration of endpoint failed" endpointID=3498 error="Could not locate previously '
        'compiled BPF template" reason="one or more identities created or deleted" subsys=endpoint',
    ),
    Signal(
        "endpoint-stale-policy",
        r"^Endpoint missed a policy revision",
        'level=warning msg="Endpoint missed a policy revision; triggering regeneration" datapathPolicyRevision=175 '
        "desiredPolicyRevision=174 endpointID=2968 identity=18888 subsys=endpoint",
    ),
    Signal(
        "identity-allocation-failed",
        r"^Ongoing identity allocation has been cancelled|^Error changing endpoint identity"
        r"|[Uu]nable to resolve identity|local key already allocated with different value",
        'level=warning msg="Error changing endpoint identity" endpointID=277 error="unable to resolve identity: '
        'timed out" identityLabels="k8s:app=web" subsys=endpoint',
    ),
    Signal(
        "identity-stale",
        r"[Ss]tale identity observed",
        'level=warning msg="stale identity observed" identity=20948 subsys=identity-cache',
    ),
    Signal(
        "identity-changed",
        r"^Identity of endpoint changed",
        'level=info msg="Identity of endpoint changed" endpointID=157 identity=5 oldIdentity="no identity" subsys=endpoint',
    ),
    Signal(
        "endpoint-labels-missing",
        r"^Unable to fetch kubernetes labels",
        'level=warning msg="Unable to fetch kubernetes labels" endpointID=157 error="pod.core web-1 not found" '
        "subsys=resolve-labels",
    ),
    Signal(
        "fqdn-update-timeout",
        r"^Timed out waiting for datapath updates of FQDN IP information",
        'level=warning msg="Timed out waiting for datapath updates of FQDN IP information; returning response. '
        'Consider increasing --tofqdns-proxy-response-max-delay if this keeps happening." subsys=daemon',
    ),
    Signal(
        "fqdn-limit",
        r"tofqdns-endpoint-max-ip-per-hostname",
        'level=warning msg="Cannot find a matching IP. Raise tofqdns-endpoint-max-ip-per-hostname to mitigate this" '
        "subsys=fqdn",
    ),
    Signal(
        "dns-proxy-timeout",
        r"^Timeout waiting for response to forwarded proxied DNS lookup",
        'level=warning msg="Timeout waiting for response to forwarded proxied DNS lookup" dnsName=example.com. '
        "endpointID=1086 subsys=fqdn/dnsproxy",
    ),
    Signal(
        "dns-proxy-refused",
        r"^Rejecting DNS query from endpoint",
        'level=debug msg="Rejecting DNS query from endpoint due to error" DNSRequestID=34520 dnsName=example.com. '
        "endpointID=1086 subsys=fqdn/dnsproxy",
    ),
    Signal(
        "ipcache-error",
        r"^Could not restore all CIDR identities|unable to find key in local cache",
        'level=warning msg="Could not restore all CIDR identities" error="..." subsys=daemon',
    ),
    Signal(
        "map-pressure",
        r"BPF map pressure|map pressure exceeded",  # (hint)
        'level=warning msg="BPF map pressure" map=cilium_ct4_global pressure=0.94 subsys=bpf',
    ),
    Signal(
        "conntrack-full",
        r"[Cc]onntrack table full|CT: Map insertion failed",  # (hint)
        'level=warning msg="conntrack table full" map=cilium_ct4_global subsys=ct-nat-map-gc',
    ),
    Signal(
        "events-lost",
        r"^hubble events queue is full",
        'level=warning msg="hubble events queue is full: dropping messages; consider increasing the queue size '
        '(hubble-event-queue-size) or provisioning more CPU" related-metric=hubble_lost_events_total subsys=hubble',
    ),
    Signal(
        "watcher-error",
        r"^Network status error received, restarting client connections|[Uu]nable to contact k8s api-?server"
        r"|[Ff]ailed to (?:list|watch) |watch of .{1,200} ended with",
        'E0512 10:11:12.123456       1 reflector.go:166] "Unhandled Error" err="pkg/k8s/watchers: Failed to watch '
        '*v1.NetworkPolicy: failed to list *v1.NetworkPolicy: connection refused"',
        in_error=True,
    ),
    Signal(
        "relay-peer-unreachable",
        r"^Failed to create (?:gRPC|peer) client",
        'level=warning msg="Failed to create gRPC client" address="10.1.0.12:4244" peer=shop-prod/worker-2 '
        'error="context deadline exceeded" subsys=hubble-relay',
    ),
    Signal(
        "agent-started",
        r"^Daemon initialization completed|^Cilium \d{1,2}\.\d{1,3}|^Initializing daemon|^Starting cilium(?:-agent)? ",
        'level=info msg="Daemon initialization completed" bootstrapTime=4.8s subsys=daemon',
    ),
    Signal(
        "agent-crashed",
        r"^panic: |^fatal error: ",
        "panic: runtime error: invalid memory address or nil pointer dereference",
    ),
)
"""In the order in which they are tried."""


@cache
def _patterns(*, in_error: bool = False) -> list[tuple[str, re.Pattern[str]]]:
    """Codes with what they are known by, in a message or in its ``error`` field."""
    return [
        (signal.code, re.compile(signal.pattern)) for signal in SIGNALS if signal.in_error or not in_error
    ]


_ADDING = ("Failed to add PolicyMap key", "Failed to update PolicyMap key")


@lru_cache(maxsize=4096)
def signal_of(message: str, error: str | None) -> str | None:
    """The signal of a message, or of its ``error`` field; ``None`` for everything else."""
    if error:
        if message.startswith(_ADDING) and "map is full" in error:
            # Which map it is stands in the message alone.
            return "policy-map-full"
        for code, pattern in _patterns(in_error=True):
            if pattern.search(error):
                return code
    for code, pattern in _patterns():
        if pattern.search(message):
            return code
    return None
