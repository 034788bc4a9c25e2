"""What Felix says of its dataplane: heartbeats, what was refused, what others changed."""

from __future__ import annotations

from flowdiag_parsers.calico.signal_entry import Signal

__all__ = ["SIGNALS"]

SIGNALS: tuple[Signal, ...] = (
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
)
