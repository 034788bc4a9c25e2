"""Names of host-side interfaces that lead back to pods.

Calico names the host end of a pod's veth pair by hashing the pod's name, so a packet line that
carries only ``OUT=cali`` and a hash still names its pod, after NAT and after the pod is gone, as long
as the name of the pod is known from anywhere.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1

__all__ = ["WORKLOAD_PREFIXES", "interface_name", "is_workload_interface"]

WORKLOAD_PREFIXES: tuple[str, ...] = ("cali", "eni", "azv", "gke", "tap")
"""Prefixes of pod-side host interfaces: Calico's own, the AWS VPC CNI, Azure, GKE, OpenStack (Felix
``interfacePrefix``)."""

# "cali58c64a0c8be" (Felix v3.27 log): the prefix and 11 hex digits of sha1 "namespace.pod".
_HASH_DIGITS = 11


def interface_name(namespace: str, pod: str, prefix: str = "cali") -> str:
    """Name of the host interface of a pod: `prefix` and 11 hex digits of sha1 ``namespace.pod``.

    The rule is Calico's ``VethNameForWorkload`` (libcalico-go, unchanged since v2); the AWS VPC CNI
    uses the same hash with the prefix ``eni``.
    """
    digest = sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()
    return prefix + digest[:_HASH_DIGITS]


@lru_cache(maxsize=4096)
def is_workload_interface(name: str | None) -> bool:
    """Whether `name` has the shape of a pod's host interface: a known prefix and 11 hex digits."""
    if not name:
        return False
    for prefix in WORKLOAD_PREFIXES:
        rest = name[len(prefix) :]
        if name.startswith(prefix) and len(rest) == _HASH_DIGITS and not rest.strip("0123456789abcdef"):
            return True
    return False
