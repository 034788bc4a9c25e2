"""Which messages of Calico's components matter to a diagnosis, under codes that stay.

Line numbers change with every release, so a message is known by its source file and how it starts;
texts that travel between components (a CNI error quoted by the kubelet) are known by what they hold.
Each entry shows one line in the real form and the version whose text it has; the words were the same
in the versions before and after unless two entries say otherwise.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["BIRD", "SIGNALS", "TEXTS", "Signal", "bird_signal", "signal_of", "text_signal"]


class Signal(Struct, frozen=True):
    """One message: its code, the file that writes it, how it starts, and a line."""

    code: str
    file: str
    starts: str
    sample: str
    seen: str


SIGNALS: tuple[Signal, ...] = (
    # Policies and profiles as they reach this node: changed, or needed here for the first time.
    Signal(
        "policy-updated",
        "int_dataplane.go",
        "Received *proto.ActivePolicyUpdate update from calculation graph",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActivePolicyUpdate update from calculation graph msg=id:<tier:"default" name:"shop/default.web" > policy:<namespace:"shop" > ',
        "v3.14-v3.29; v3.30 ends the sentence before msg= and writes braces",
    ),
    Signal(
        "policy-removed",
        "int_dataplane.go",
        "Received *proto.ActivePolicyRemove update from calculation graph",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActivePolicyRemove update from calculation graph. msg=id:{tier:"default"  name:"shop/knp.default.web"}',
        "v3.30",
    ),
    Signal(
        "profile-updated",
        "int_dataplane.go",
        "Received *proto.ActiveProfile",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.ActiveProfileUpdate update from calculation graph msg=id:<name:"kns.shop" > profile:<> ',
        "v3.17",
    ),
    Signal(
        "endpoint-updated",
        "int_dataplane.go",
        "Received *proto.WorkloadEndpoint",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.WorkloadEndpointUpdate update from calculation graph msg=id:<orchestrator_id:"k8s" workload_id:"shop/web-0" endpoint_id:"eth0" > ',
        "v3.27",
    ),
    Signal(
        "ipset-updated",
        "int_dataplane.go",
        "Received *proto.IPSet",
        '2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 2021: Received *proto.IPSetUpdate update from calculation graph msg=id:"s:abcd" ',
        "v3.27",
    ),
    # Endpoints.
    Signal(
        "endpoint-updated",
        "calc_graph.go",
        "Local endpoint updated",
        "2026-03-02 10:00:00.000 [INFO][70] felix/calc_graph.go 516: Local endpoint updated id=WorkloadEndpoint(node=node-1, orchestrator=k8s, workload=shop/web-0, name=eth0)",
        "v3.29",
    ),
    Signal(
        "endpoint-removed",
        "calc_graph.go",
        "Local endpoint deleted",
        "2026-03-02 10:00:00.000 [INFO][70] felix/calc_graph.go 520: Local endpoint deleted id=WorkloadEndpoint(node=node-1, orchestrator=k8s, workload=shop/web-0, name=eth0)",
        "v3.29",
    ),
    Signal(
        "endpoint-programmed",
        "endpoint_mgr.go",
        "Updating per-endpoint chains",
        '2026-03-02 10:00:00.000 [INFO][70] felix/endpoint_mgr.go 602: Updating per-endpoint chains. id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}',
        "v3.27",
    ),
    Signal(
        "endpoint-removed",
        "endpoint_mgr.go",
        "Workload removed, deleting its chains",
        '2026-03-02 10:00:00.000 [INFO][70] felix/endpoint_mgr.go 560: Workload removed, deleting its chains. id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}',
        "v3.27",
    ),
    Signal(
        "endpoint-status",
        "endpoint_mgr.go",
        "Re-evaluated workload endpoint status",
        '2026-03-02 10:00:00.000 [INFO][70] felix/endpoint_mgr.go 490: Re-evaluated workload endpoint status adminUp=true failed=false known=true operUp=true status="up" workloadEndpointID=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}',
        "v3.27",
    ),
    Signal(
        "endpoint-down",
        "status_combiner.go",
        "Endpoint down for at least one IP version",
        '2026-03-02 10:00:00.000 [INFO][70] felix/status_combiner.go 77: Endpoint down for at least one IP version id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"} ipVersion=0x4 status="down"',
        "v3.28",
    ),
    Signal(
        "endpoint-up",
        "status_combiner.go",
        "Endpoint up for at least one IP version",
        '2026-03-02 10:00:00.000 [INFO][70] felix/status_combiner.go 81: Endpoint up for at least one IP version id=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"} ipVersion=0x4 status="up"',
        "v3.28",
    ),
    # The dataplane's heartbeat; `slow-dataplane-loop` where its longest loop took long.
    Signal(
        "dataplane-loop-summary",
        "summary.go",
        "Summarising ",
        "2026-03-02 10:00:00.000 [INFO][80] felix/summary.go 100: Summarising 11 dataplane reconciliation loops over 1m4.5s: avg=11ms longest=38ms ()",
        "v3.20-v3.32",
    ),
    Signal(
        "dataplane-in-sync",
        "int_dataplane.go",
        "Completed first update to dataplane",
        "2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 1900: Completed first update to dataplane. secsSinceStart=4.2",
        "v3.20-v3.32",
    ),
    Signal(
        "dataplane-resync",
        "int_dataplane.go",
        "Datastore in sync, flushing the dataplane for the first time",
        "2026-03-02 10:00:00.000 [INFO][70] felix/int_dataplane.go 1850: Datastore in sync, flushing the dataplane for the first time... timeSinceStart=1.5s",
        "v3.20-v3.32",
    ),
    # The dataplane refused what Felix wanted to program.
    *(
        Signal(
            "dataplane-failure",
            file,
            starts,
            f"2026-03-02 10:00:00.000 [WARNING][70] felix/{file} 900: {line}",
            seen,
        )
        for file, starts, line, seen in (
            (
                "table.go",
                "Failed to execute ip(6)tables-restore command",
                'Failed to execute ip(6)tables-restore command error=exit status 4 errorOutput="iptables-restore: line 4 failed\\n" input="*filter\\nCOMMIT\\n" ipVersion=0x4 output="" table="filter"',
                "v2.6-v3.32",
            ),
            (
                "table.go",
                "Failed to program",
                'Failed to program iptables, will retry error=exit status 4 ipVersion=0x4 table="filter"',
                "v3.20-v3.32",
            ),
            (
                "table.go",
                "iptables save failed",
                "iptables save failed error=exit status 1",
                "v3.20-v3.27",
            ),
            (
                "table.go",
                "iptables-nft-save command failed",
                'iptables-nft-save command failed error=iptables-save failed because there are incompatible nft rules in the table ipVersion=0x4 stderr="" table="filter"',
                "v3.26",
            ),
            (
                "table.go",
                "iptables-legacy-save command failed",
                'iptables-legacy-save command failed error=exit status 1 ipVersion=0x4 stderr="" table="filter"',
                "v3.24",
            ),
            (
                "table.go",
                "ip6tables-nft-save command failed",
                'ip6tables-nft-save command failed error=exit status 1 ipVersion=0x6 stderr="" table="filter"',
                "v3.26",
            ),
            (
                "table.go",
                "ip6tables-legacy-save command failed",
                'ip6tables-legacy-save command failed error=exit status 1 ipVersion=0x6 stderr="" table="filter"',
                "v3.24",
            ),
            (
                "table.go",
                "Failed to run nft transaction",
                'Failed to run nft transaction error=exit status 1 family="inet"',
                "v3.30",
            ),
            (
                "table.go",
                "IP Set for chain has not yet been received",
                'IP Set for chain has not yet been received by data plane chain="cali-pi-x" ipset="cali40s:x"',
                "v3.30",
            ),
            (
                "route_table.go",
                "Failed to add route",
                'Failed to add route error=file exists ifaceName="cali43878a68a0a" ipVersion=0x4 targetCIDR=10.0.1.9/32',
                "v2.3-v3.28",
            ),
            (
                "route_table.go",
                "Failed to sync routes to interface even after retries",
                'Failed to sync routes to interface even after retries. Leaving it dirty. ifaceName="cali43878a68a0a" ipVersion=0x4',
                "v2.3-v3.28",
            ),
            (
                "route_table.go",
                "Some interfaces still out-of sync",
                "Some interfaces still out-of sync. numOutOfSyncIfaces=1",
                "v3.20",
            ),
            (
                "int_dataplane.go",
                "Failed to synchronize routing table",
                "Failed to synchronize routing table, will retry... error=some error",
                "v3.20-v3.32",
            ),
            (
                "route_rule.go",
                "Failed to list routing rules",
                "Failed to list routing rules, retrying... error=operation not supported ipVersion=4",
                "v3.24",
            ),
            (
                "l3_route_resolver.go",
                "Unable to create route for IP",
                "Unable to create route for IP; the node it belongs to was not recorded in IPAM IP=10.0.9.0",
                "v3.29",
            ),
            (
                "int_dataplane.go",
                "failed to wipe the XDP state",
                "failed to wipe the XDP state error=stat: no such file or directory try=6",
                "v3.20",
            ),
            (
                "bpf_ep_mgr.go",
                "Failed to apply policy to endpoint",
                'Failed to apply policy to endpoint, leaving it dirty error=permission denied name="cali43878a68a0a" wepID=&types.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"shop/web-0", EndpointId:"eth0"}',
                "v3.30",
            ),
            (
                "bpf_ep_mgr.go",
                "Failed to load BPF policy program",
                "Failed to load BPF policy program error=permission denied",
                "v3.30",
            ),
            (
                "daemon.go",
                "BPF data",
                "BPF data plane mode enabled but not supported by the kernel.  Disabling BPF mode. error=kernel too old",
                "v3.28",
            ),
        )
    ),
    Signal(
        "dataplane-recovered",
        "table.go",
        "Succeeded after retry",
        '2026-03-02 10:00:00.000 [WARNING][70] felix/table.go 880: Succeeded after retry. ipVersion=0x4 table="filter"',
        "v3.24",
    ),
    Signal(
        "ipset-failure",
        "ipsets.go",
        "Failed to",
        '2026-03-02 10:00:00.000 [ERROR][70] felix/ipsets.go 600: Failed to complete ipset restore, IP sets may be out-of-sync. closeErr=<nil> family="inet" stderr="ipset v6.29: Error in line 8: Hash is full" writeErr=<nil>',
        "v3.20-v3.32",
    ),
    Signal(
        "ipset-failure",
        "ipsets.go",
        "Bad return code from 'ipset list'",
        "2026-03-02 10:00:00.000 [ERROR][70] felix/ipsets.go 400: Bad return code from 'ipset list'. error=exit status 1 stderr=\"\"",
        "v3.20-v3.32",
    ),
    # Another program edits the rules.
    Signal(
        "dataplane-out-of-sync",
        "table.go",
        "Detected out-of-sync",
        '2026-03-02 10:00:00.000 [WARNING][70] felix/table.go 651: Detected out-of-sync inserts, marking for resync actualRuleIDs=[]string{""} chainName="FORWARD" expectedRuleIDs=[]string{"cali:a"} ipVersion=0x4 table="filter"',
        "v3.20-v3.32",
    ),
    Signal(
        "policy-not-enforced",
        "conversion.go",
        "dropping k8s rule that couldn't be converted",
        "2026-03-02 10:00:00.000 [WARNING][70] felix/conversion.go 500: dropping k8s rule that couldn't be converted. error=unsupported protocol",
        "v3.20-v3.32",
    ),
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

_BY_FILE: dict[str, list[Signal]] = {}
for _entry in SIGNALS:
    _BY_FILE.setdefault(_entry.file, []).append(_entry)


def signal_of(file: str | None, level: str | None, message: str, text: str) -> str | None:
    """Code of a component's record.

    Args:
        file: base name of the source file, as recorded.
        level: as recorded; PANIC and FATAL end the process whatever they say.
        message: the record's message without its fields.
        text: message and fields: errors of others are quoted in fields.
    """
    if level in ("PANIC", "FATAL"):
        return "agent-crashed"
    quoted = text_signal(text)
    if quoted is not None:
        return quoted
    for entry in _BY_FILE.get(file or "", ()):
        if message.startswith(entry.starts):
            return entry.code
    return None


def text_signal(text: str) -> str | None:
    """Code of words that mean the same wherever they stand."""
    for words, code, _ in TEXTS:
        if words in text:
            return code
    return None


def bird_signal(text: str) -> str | None:
    """Code of a BIRD message."""
    for words, code, _ in BIRD:
        if words in text:
            return code
    return None
