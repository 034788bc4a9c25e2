"""Which cluster, as whom, and how patiently."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["ClusterOptions"]


class ClusterOptions(Struct, frozen=True, kw_only=True):
    """What kubectl's options of the same names mean."""

    kubeconfig: str | None = None
    """Path; several joined by ``:`` are merged.  ``None``: KUBECONFIG, then ``~/.kube/config``, then in-cluster."""
    context: str | None = None
    as_user: str | None = None
    """The user to impersonate."""
    as_groups: tuple[str, ...] = ()
    as_uid: str | None = None
    namespaces: tuple[str, ...] = ()
    """Read these alone where the whole cluster is forbidden; empty: the context's own."""
    request_timeout_s: float = 30.0
    """How long one request may be silent."""
