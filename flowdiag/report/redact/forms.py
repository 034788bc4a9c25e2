"""How addresses, hosts, ports and the names of log formats are written."""

from __future__ import annotations

import re
from ipaddress import ip_address

__all__ = [
    "ACL_NAME",
    "FIELD",
    "HOST",
    "MAC",
    "POLICY_HIT",
    "PORT",
    "PORT_BEHIND",
    "SYSLOG_TIME",
    "WIDTH",
    "address_in",
    "spelt",
]

# 10.244.1.28, 10.244.0.0/16, fe80::1, 2001:db8::/32, ::ffff:10.0.0.1; MAC 0e:5d:2c:41:90:7b
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)"
_MAC = r"(?<![\w:])(?:[0-9A-Fa-f]{2}:){5}(?:[0-9A-Fa-f]{2})(?:(?::[0-9A-Fa-f]{2}){8})?(?![\w:])"
_IPV6 = r"(?<![\w:])(?=[0-9A-Fa-f:.]{2,45}(?![\w:]))(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4})(?![\w:])"
MAC = re.compile(_MAC)
_ADDRESS = re.compile(f"{_IPV4}|{_MAC}|{_IPV6}")
# user-api.backend.svc.cluster.local, content.example.net
HOST = re.compile(r"(?:[\w-]{1,63}\.){1,8}[A-Za-z][\w-]{1,62}")
# 8080/TCP, 8080-8090/TCP, 53/udp; 42/web is a workload in a namespace whose name is a number
PORT = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?/(?:(?i:tcp|udp|sctp|icmp|any)|ICMPv6|icmpv6)")
# 10.0.0.1:41022, [2001:db8::1]:443, shop/web:8080
PORT_BEHIND = re.compile(r":[0-9]{1,5}")
WIDTH = re.compile(r"/[0-9]{1,3}")
# policyRevision=41, dl_src=0a:58:..; a label's key looks alike and follows its source or stands in a value
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
# NP:shop:Ingress, NP:shop:deny-all:Ingress:0, ANP:tenant:Egress:2, EF:shop:0 (OVN-Kubernetes' ACL names, 1.0)
ACL_NAME = re.compile(
    r"(BANP|ANP|NP|EF):([^:]+)(?::([0-9]+)(?=:(?:In|E)gress))?(?::([^:]*[^:0-9][^:]*))??((?::(?:Ingress|Egress|[0-9]+))*)"
)
# 1|default|shop/default.web-guard|deny|2 (Calico flow logs, v3.30)
POLICY_HIT = re.compile(r"(\d{1,4})\|([^|]*)\|([^|]*)\|(allow|deny|pass)\|(-?\d{0,4})")
# Mar 17 14:03:13.850 (cilium monitor, v1.18), Jan  5 14:58:34 (syslog, RFC 3164)
SYSLOG_TIME = re.compile(
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?(?![\w.-])"
)


def address_in(text: str) -> re.Match[str] | None:
    """The first address; most words cannot hold one, and are not searched."""
    return _ADDRESS.search(text) if text.count(".") >= 3 or text.count(":") >= 2 else None


def spelt(address: str) -> str:
    """An address as it is always written (RFC 5952), so that it has one token in all its spellings.

    An IPv4 address that a socket for both families shows as ``::ffff:192.0.2.10`` is that IPv4 address.
    """
    try:
        read = ip_address(address)
        return str(read.ipv4_mapped or read) if read.version == 6 else str(read)
    except ValueError:
        return address.lower()
