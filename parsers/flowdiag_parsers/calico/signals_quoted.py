"""Words that mean the same wherever they are quoted, and what BIRD says: text, code, a line."""

from __future__ import annotations

__all__ = ["BIRD", "TEXTS"]

TEXTS: tuple[tuple[str, str, str], ...] = (
    # Words that mean the same wherever they are quoted: text, code, a line.
    (
        "No IPs available in pools",
        "ipam-exhausted",
        "2026-03-02 10:00:00.000 [ERROR][9] cni-plugin/plugin.go 162: Final result of CNI ADD was an error. error=failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; No IPs available in pools: [10.0.0.0/24]",
    ),
    (
        "No more free affine blocks",
        "ipam-exhausted",
        "2026-03-02 10:00:00.000 [ERROR][9] cni-plugin/plugin.go 162: Final result of CNI ADD was an error. error=Assigned 0 out of 1 requested IPv4 addresses; No more free affine blocks and strict affinity enabled",
    ),
    (
        "no configured Calico pools",
        "ipam-exhausted",
        "2026-03-02 10:00:00.000 [ERROR][9] ipam/ipam_plugin.go 300: Failed error=no configured Calico pools for node node-1",
    ),
    (
        "The given pool (",
        "ipam-exhausted",
        'E0302 15:42:06.327140    5081 docker_manager.go:2201] Failed to setup network for pod "web-0_shop(1)" using network plugins "cni": The given pool (10.0.9.0/24) does not exist; Skipping pod',
    ),
    (
        "already exists for an interface other than",
        "duplicate-address",
        "E0302 16:34:00.256432    1467 cni.go:301] Error adding network: route (Ifindex: 93, Dst: 10.0.1.9/32, Scope: link) already exists for an interface other than 'cali43878a68a0a'",
    ),
    (
        "is not ready:",
        "not-ready",
        "calico/node is not ready: BIRD is not ready: BGP not established with 192.0.2.7",
    ),
    (
        "Failed to watch *",
        "datastore-connection-lost",
        'E0302 10:00:00.000001       1 reflector.go:138] pkg/mod/client-go/reflector.go:167: Failed to watch *v1.NetworkPolicy: failed to list *v1.NetworkPolicy: Get "https://10.96.0.1:443/apis": dial tcp 10.96.0.1:443: connect: connection refused',
    ),
    (
        "holding the xtables lock",
        "dataplane-failure",
        'W0302 10:00:00.000000       1 table.go:1] Another app is currently holding the xtables lock; "retrying"',
    ),
)

BIRD: tuple[tuple[str, str, str], ...] = (
    # BIRD 1.6 and 2 as Calico ships them: text, code, a line.
    ("State changed to", "bgp-state", "bird: Mesh_192_0_2_7: State changed to down"),
    (
        "Unexpected connect from unknown address",
        "bgp-peer-refused",
        "bird: BGP: Unexpected connect from unknown address 192.0.2.9 (port 46957)",
    ),
    ("Hold timer expired", "bgp-session-lost", "bird: Mesh_192_0_2_7: Error: Hold timer expired"),
    ("Connection rejected", "bgp-peer-refused", "bird: Mesh_192_0_2_7: Received: Connection rejected"),
    ("Connection closed", "bgp-session-lost", "bird: Mesh_192_0_2_7: Connection closed"),
    ("Netlink: ", "bgp-route-failure", "bird: Netlink: File exists"),
)
