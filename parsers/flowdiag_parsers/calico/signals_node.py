"""What components say of their datastore, their own lives, readiness, BGP and pods' addresses."""

from __future__ import annotations

from flowdiag_parsers.calico.signal_entry import Signal

__all__ = ["SIGNALS"]

SIGNALS: tuple[Signal, ...] = (
    # Datastore and Typha.
    *(
        Signal(
            "datastore-connection-lost",
            file,
            starts,
            f"2026-03-02 10:00:00.000 [ERROR][70] felix/{file} 300: {line}",
            seen,
        )
        for file, starts, line, seen in (
            (
                "daemon.go",
                "Failed to connect to Typha",
                "Failed to connect to Typha. Retrying... error=dial tcp 10.0.0.9:5473: i/o timeout",
                "v3.20-v3.32",
            ),
            (
                "daemon.go",
                "Connection to Typha failed",
                "Connection to Typha failed",
                "v2.6-v3.32",
            ),
            (
                "daemon.go",
                "Datastore became unready",
                "Datastore became unready, need to restart.",
                "v3.20-v3.32",
            ),
            (
                "watchercache.go",
                "Failed to perform list of current data during resync",
                'Failed to perform list of current data during resync ListRoot="/calico/resources/v3/projectcalico.org/networkpolicies" error=connection is unauthorized: Unauthorized',
                "v3.20-v3.24",
            ),
            (
                "client.go",
                "Error getting cluster information config",
                'Error getting cluster information config ClusterInformation="default" error=Get "https://10.96.0.1:443/": dial tcp 10.96.0.1:443: i/o timeout',
                "v3.29",
            ),
            (
                "client.go",
                "Unable to initialize ClusterInformation",
                'Unable to initialize ClusterInformation error=Get "https://10.96.0.1:443/": dial tcp 10.96.0.1:443: i/o timeout',
                "v3.29",
            ),
        )
    ),
    Signal(
        "datastore-resync",
        "watchercache.go",
        "Full resync is required",
        '2026-03-02 10:00:00.000 [INFO][70] felix/watchercache.go 180: Full resync is required ListRoot="/calico/resources/v3/projectcalico.org/networkpolicies"',
        "v3.22",
    ),
    # Lives of the processes.
    Signal(
        "agent-started",
        "daemon.go",
        "Felix starting up",
        '2026-03-02 10:00:00.000 [INFO][70] felix/daemon.go 150: Felix starting up GOMAXPROCS=2 builddate="2026-01-01T00:00:00+0000" gitcommit="abc" version="v3.30.0"',
        "v2.0-v3.32",
    ),
    Signal(
        "agent-started",
        "daemon.go",
        "Typha starting up",
        '2026-03-02 10:00:00.000 [INFO][7] typha/daemon.go 120: Typha starting up GOMAXPROCS=2 buildDate="2026-01-01T00:00:00+0000" gitCommit="abc" version="v3.30.0"',
        "v2.6-v3.32",
    ),
    Signal(
        "agent-started",
        "main.go",
        "Loaded configuration from environment",
        '2026-03-02 10:00:00.000 [INFO][1] kube-controllers/main.go 92: Loaded configuration from environment config=&config.Config{LogLevel:"info", Kubeconfig:""}',
        "v3.20-v3.32",
    ),
    Signal(
        "agent-shutdown",
        "daemon.go",
        "Felix is shutting down",
        '2026-03-02 10:00:00.000 [WARNING][70] felix/daemon.go 700: Felix is shutting down reason="config changed"',
        "v2.0-v3.32",
    ),
    Signal(
        "agent-shutdown",
        "daemon.go",
        "Configuration value changed; change DOES require Felix to restart",
        "2026-03-02 10:00:00.000 [WARNING][70] felix/daemon.go 690: Configuration value changed; change DOES require Felix to restart. key=BPFEnabled",
        "v3.24-v3.32",
    ),
    # Readiness and BGP.
    Signal(
        "not-ready",
        "startup.go",
        "Calico is not ready yet",
        '2026-03-02 10:00:00.000 [WARNING][9] startup/startup.go 200: Calico is not ready yet, waiting... reason="calico/node is not ready: felix is not ready: readiness probe reporting 503"',
        "v3.32",
    ),
    Signal(
        "bgp-peers",
        "health.go",
        "Number of node(s) with BGP peering established",
        "2026-03-02 10:00:00.000 [INFO][226] confd/health.go 180: Number of node(s) with BGP peering established = 0",
        "v3.14-v3.32",
    ),
    Signal(
        "bgp-configuration",
        "resource.go",
        "Target config ",
        "2026-03-02 10:00:00.000 [INFO][81] confd/resource.go 277: Target config /etc/calico/confd/config/bird.cfg has been updated due to change in key: /calico/bgp/v1/host",
        "v3.25",
    ),
    Signal(
        "address-autodetected",
        "autodetection_methods.go",
        "Using autodetected IPv",
        "2026-03-02 10:00:00.000 [INFO][83] monitor-addresses/autodetection_methods.go 103: Using autodetected IPv4 address on interface eth0: 192.0.2.2/24",
        "v3.14-v3.32",
    ),
    Signal(
        "mtu-not-detected",
        "int_dataplane.go",
        "Failed to auto-detect host MTU",
        "2026-03-02 10:00:00.000 [WARNING][70] felix/int_dataplane.go 1456: Failed to auto-detect host MTU - no interfaces matched the MTU interface pattern. To use auto-MTU, set mtuIfacePattern to match your host's interfaces",
        "v3.32",
    ),
    # Addresses of pods.
    Signal(
        "ipam-exhausted",
        "ipam.go",
        "All addresses exhausted in pool CIDR",
        "2026-03-02 10:00:00.000 [WARNING][277] ipam/ipam.go 900: All addresses exhausted in pool CIDR cidr=10.0.0.0/26",
        "v3.29",
    ),
    Signal(
        "ipam-released",
        "ipam.go",
        "Garbage collecting leaked IP address",
        '2026-03-02 10:00:00.000 [INFO][1] ipam.go 902: Garbage collecting leaked IP address handle="k8s-pod-network.ab" ip="10.0.1.9" node="node-1" pod="shop/web-0"',
        "v3.20",
    ),
    Signal(
        "ipam-released",
        "ipam_plugin.go",
        "Releasing address using",
        '2026-03-02 10:00:00.000 [INFO][10125] ipam_plugin.go 444: Releasing address using workloadID ContainerID="ab" HandleID="k8s-pod-network.ab" Workload="node--1-k8s-web--0-eth0"',
        "v3.23",
    ),
    Signal(
        "cni-failure",
        "plugin.go",
        "Final result of CNI ",
        "2026-03-02 10:00:00.000 [ERROR][26729] cni-plugin/plugin.go 162: Final result of CNI ADD was an error. error=Unauthorized",
        "v3.21-v3.30",
    ),
)
