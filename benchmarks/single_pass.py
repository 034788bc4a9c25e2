"""The best single pass over text records that we could write by hand: a yardstick for `benchmarks/text.py`.

Per format one pattern for the lines that the generator writes, and nothing else: no other form, no damaged line,
no envelope, no reply turned round, no example kept (but `KEEPING`).  What it gives is what counting needs: of every record its
time to the nanosecond, both ends, the server's port, verdict and reason as the key of a count, in buckets of a
minute, with the first and last time of each key.  Lines of a log of no interest are counted by their message, and
of those that tell of a policy its name is kept.

Keys are joined to one string, which is faster than a tuple (measured); a second is read once.
"""

from clocks import epoch, iso, klog, syslog
from counting_pass import Pairs, Repeated, Timed, Untimed
from keeping_pass import KeepingPairs, KeepingRepeated, KeepingUntimed
from log_pass import Flows, Messages

__all__ = ["KEEPING", "PASSES"]

_NFLOG = (
    (
        rb"(.{15}) ([^ ]+) DROP by policy ([^ ]+) (?=(IN=[^ ]* OUT=[^ ]*) MAC=[^ ]* SRC=([^ ]+) DST=([^ ]+) .+? PROTO=([^ ]+) "
        rb"SPT=(\d+) DPT=(\d+) SEQ=\d+ ACK=\d+ WINDOW=\d+ (.+) URGP)(.+)\n\1 \2  \11\n"
    ),
    syslog,
    (7, 8),
    (1, 2),
)
_WEAVE = (
    rb"WARN: (.{19})\.(\d+) (.+ from [^:]+):(\d+) to ([^:]+):(\d+) blocked by Weave NPC\.\n",
    iso,
    (3, 5),
    (2, 4),
)
_NETFILTER = (
    (
        rb"(?:\[[^\]]+\] )?([^=]*=[^ ]* OUT=[^ ]* MAC=[^ ]* SRC=[^ ]+ DST=[^ ]+) .*PROTO=([^ ]+) SPT=(\d+) DPT=(\d+) "
        rb"WINDOW=\d+ RES=[^ ]+ (.*) URGP=0 \n"
    ),
    (2, 3),
    (0, 1),
)
PASSES = {
    "aws-network-policy-agent": lambda: Timed(
        rb'..level":"\w+","ts":"(.{19})\.(\d+)Z","caller":"[^"]+","msg":"Flow Info: Src IP: ([^ ]+) Src Port: (\d+) '
        rb'Dest IP: ([^ ]+) Dest Port: (\d+) Proto ([^ ]+) Verdict ([^ ]+) Direction ([^"]+)"\}\n',
        iso,
        (3, 5),
        (2, 4, 6, 7, 8),
    ),
    "hubble-compact": lambda: Timed(
        rb"(.{15})\.(\d{3})([^:]*: [^:]+):(\d+)( [^:]+:[^:]+):(\d+)(.*\()TCP Flags: ([A-Z, ]+)\)\n",
        syslog,
        (3, 5),
        (2, 4, 6),
    ),
    "hubble-dict": lambda: Timed(
        rb"  TIMESTAMP: (.{15})\.(\d{3})\n     SOURCE: ([^:]+):(\d+)\nDESTINATION: ([^:]+):(\d+)\n"
        rb"       TYPE: (.+)\n    VERDICT: (.+)\n    SUMMARY: TCP Flags: (.+)\n-+\n",
        syslog,
        (3, 5),
        (2, 4, 6, 7),
    ),
    "hubble-table": lambda: Timed(
        rb"(.{15})\.(\d{3}) +([^:]+):(\d+) +([^:]+):(\d+)(.+)   TCP Flags: (.+)\n", syslog, (3, 5), (2, 4, 6)
    ),
    "cilium-monitor": lambda: Untimed(
        rb"(.+?) flow 0x[0-9a-f]+(.+ [0-9.]+):(\d+) -> ([0-9.]+):(\d+) tcp (.+)\n", (2, 4), (0, 1, 3)
    ),
    "cilium-agent-log": lambda: Messages(
        rb'time=([^.]+)\.(\d+)Z level=[a-z]+ (?:source=[^ ]+ )?msg="([^"]*)"(.*)\n',
        b"Upserted policy to repository",
        rb" resource=([^ ]+)",
    ),
    "calico-log": lambda: Messages(
        rb"([^.]+)\.(\d{3}) \[\w+\]\[\d+\] [^:]+: ((?:Received \*proto.ActivePolicyUpdate)?)(.*)\n",
        b"Received",
        rb'name:"([^"]+)"',
    ),
    "calico-flowlog": Flows,
    "calico-bpf": lambda: Untimed(
        rb".*?\] \S+ +[\d.]+: bpf_trace_printk: ([^:]+: policy \w+ +proto \d+ src [^:]+):(\d+) dest ([^:]+):(\d+)\n",
        (1, 3),
        (0, 2),
    ),
    "ovn-acl": lambda: Timed(
        rb'([^.]+)\.(\d+)Z\|\d+\|acl_log\([^)]+\)\|INFO\|name=("[^"]+", verdict=[^:]+: tcp),vlan_tci=0x0000,dl_src=[^,]+,dl_dst=[^,]+,'
        rb"(nw_src=[^,]+,nw_dst=[^,]+),nw_tos=0,nw_ecn=0,nw_ttl=\d+,nw_frag=no,tp_src=(\d+),tp_dst=(\d+),tcp_flags=(.+)\n",
        iso,
        (4, 5),
        (2, 3, 6),
    ),
    "antrea-np-log": lambda: Timed(
        rb"(.{19})\.(\d+) ([^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+) (\d+) ([^ ]+) (\d+) ([^ ]+) \d+ [^ \n]+( \[\d+|)(?:.*)\n",
        iso,
        (3, 5),
        (2, 4, 6, 7),
        1_000,
    ),
    "antrea-flows": lambda: Timed(
        rb"(\d{10}),\d{9}(\d),([^,]+,[^,]+),(\d+),(\d+),(.+)\n", epoch, (3, 4), (2, 5), 0
    ),
    "aws-vpc-flow": lambda: Timed(
        rb"(?=(?:[^ ]+ ){10}(\d{10}))2 \d+ eni-[^ ]+ ([^ ]+ [^ ]+) (\d+) (\d+) (\d+) \d+ \d+ \d{9}(\d) \d+ (\w+) OK\n",
        epoch,
        (2, 3),
        (1, 4, 6),
        0,
        when=(0, 5),
    ),
    "kube-network-policies": lambda: Timed(
        rb'I.{13}\.\d+ +1 [^ ]+ "Evaluating packet" id=(?=(\d+))\d+ direction="[^"]+" srcPod="([^"]+)" dstPod="([^"]+)" packet=<\n'
        rb"\t[^ ]+ ([^:]+):(\d+) ([^:]+):(\d+) ([^\n]+)\n(?:\t.+\n)* >\n"
        rb'I(.{13})\.(\d+) +1 [^ ]+ "Packet ([^"]+)" id=\1\n.+ "Finished syncing packet" id=.+\n',
        klog,
        (4, 6),
        (1, 2, 3, 5, 7, 10),
        1_000,
        when=(8, 9),
    ),
    "nflog": lambda: Pairs(*_NFLOG),
    "weave-npc": lambda: Repeated(*_WEAVE),
    "netfilter": lambda: Untimed(*_NETFILTER),
}
"""Parser -> a new pass over blocks of what the generator writes for it."""

KEEPING = {
    "nflog": lambda: KeepingPairs(*_NFLOG),
    "weave-npc": lambda: KeepingRepeated(*_WEAVE),
    "netfilter": lambda: KeepingUntimed(*_NETFILTER),
}
"""The same for formats of which every line is kept for its ports and as an example, and which keep these too."""
