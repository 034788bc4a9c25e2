"""NetworkPolicies that are sound at first sight, as nearly all are: the long look has nothing to say of them.

`flowdiag.cluster.validity` goes through a policy field by field and writes a path for each, to say what is wrong and
where.  Of most nothing is, and to hold a whole spec against a type takes a tenth of that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

__all__ = ["is_plainly_valid"]


class _Known(Struct, forbid_unknown_fields=True, rename="camel"):
    """Nothing but what is read."""


class _Selector(_Known):
    match_labels: dict[str, str] | None = None


class _Peer(_Known):
    """Ranges are left to the long look."""

    pod_selector: _Selector | None = None
    namespace_selector: _Selector | None = None


class _Port(_Known):
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | str | None = None


class _Ingress(_Known):
    peers: list[_Peer] | None = msgspec.field(default=None, name="from")
    ports: list[_Port] | None = None


class _Egress(_Known):
    peers: list[_Peer] | None = msgspec.field(default=None, name="to")
    ports: list[_Port] | None = None


class _Spec(_Known):
    pod_selector: _Selector | None = None
    policy_types: list[Literal["Ingress", "Egress"]] | None = None
    ingress: list[_Ingress] | None = None
    egress: list[_Egress] | None = None


def is_plainly_valid(spec: dict[str, Any]) -> bool:
    """Whether the spec of a NetworkPolicy has no fault for sure; others may have none either."""
    try:
        found = msgspec.convert(spec, _Spec)
    except msgspec.ValidationError:
        return False
    return all(
        peer.pod_selector is not None or peer.namespace_selector is not None
        for rule in (*(found.ingress or ()), *(found.egress or ()))
        for peer in rule.peers or ()
    )
