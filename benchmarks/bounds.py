"""Evidence that would fill any memory: how much is kept of it, and whether the totals are still exact.

Run ``python benchmarks/bounds.py [--scale 1.0] [--only scan ...]``.  At scale 1: 65,535 ports by 1,000 pods (65.5
million records), 2,000 ports by 350 pods, a million outside addresses, ten million DNS names.  Each case is a
process of its own that folds generated Hubble records and prints its peak of memory after a quarter of the records
and at their end: what is bounded has a peak that stays.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import time
from functools import lru_cache

from flowdiag.parserkit import Block, ParseContext
from flowdiag.tally import Tally
from flowdiag_parsers.hubble.flow_json import HubbleJson

START = 1_775_000_000
POD = (
    '{"identity":20001,"namespace":"shop","labels":["k8s:app=web","k8s:io.kubernetes.pod.namespace=shop"],'
    '"pod_name":"web-%d","workloads":[{"name":"web","kind":"Deployment"}]}'
)
WORLD = '{"identity":2,"labels":["reserved:world"]}'
LINE = (
    '{"flow":{"time":"%s.%09dZ","verdict":"%s","IP":{"source":"%s","destination":"%s","ipVersion":"IPv4"},'
    '"l4":%s,"source":%s,"destination":%s,"Type":"%s","node_name":"bench/n1","event_type":{"type":%d},%s'
    '"traffic_direction":"EGRESS","Summary":""},"node_name":"bench/n1"}'
)
SPREAD = 2_000
RECORDS = {"scan": 65_535 * 1_000, "spread": SPREAD * 350, "outside": 1_000_000, "names": 10_000_000}


def stamp(number):
    """A hundred records a second."""
    return second(number // 100), number % 100 * 10_000_000


@lru_cache(maxsize=2)
def second(number):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + number))


def tcp(port):
    """A SYN."""
    return f'{{"TCP":{{"source_port":40000,"destination_port":{port},"flags":{{"SYN":true}}}}}}'


def scan(number):
    """A pod after another tries every port of one address; all refused."""
    return probe(*divmod(number, 65_535), number)


def spread(number):
    """The same with fewer ports, all over the range: as many pods in a hundredth of the records."""
    pod, port = divmod(number, SPREAD)
    return probe(pod, port * (65_535 // SPREAD), number)


def probe(pod, port, number):
    """A refused SYN of a pod to one address."""
    return probes(pod) % (*stamp(number), port + 1)


@lru_cache(maxsize=2)
def probes(pod):
    """All but time and port."""
    more = '"drop_reason_desc":"POLICY_DENIED",'
    ends = (f"10.1.{pod // 250}.{pod % 250 + 1}", "10.2.0.1")
    line = LINE.replace("%s.%09dZ", "%%s.%%09dZ", 1)
    return line % ("DROPPED", *ends, tcp("%d"), POD % pod, POD % 9999, "L3_L4", 1, more)


def outside(number):
    """One pod is refused the way to ever new addresses."""
    ip = f"{11 + number // 16_777_216}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    more = '"drop_reason_desc":"POLICY_DENIED",'
    return LINE % (*stamp(number), "DROPPED", "10.1.0.1", ip, tcp(443), POD % 1, WORLD, "L3_L4", 1, more)


def names(number):
    """One pod asks for ever new names; each is answered."""
    ip = f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 255}.{number & 255}"
    l4 = '{"UDP":{"source_port":53,"destination_port":40000}}'
    more = (
        f'"is_reply":true,"l7":{{"type":"RESPONSE","dns":{{"query":"n{number}.example.com.","ips":["{ip}"],'
        '"ttl":30,"qtypes":["A"]}},'
    )
    return LINE % (
        *stamp(number),
        "FORWARDED",
        "10.2.0.1",
        "10.1.0.1",
        l4,
        POD % 9999,
        POD % 1,
        "L7",
        129,
        more,
    )


def peak():
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def case(name, records, sent):
    """Fold it; sends what became of it."""
    line = globals()[name]
    tally, parser, context = Tally(), HubbleJson(), ParseContext(input="bench")
    quarter, first = 0.0, 0
    while first < records:
        count = min(128, records - first)
        data = "".join(line(first + n) + "\n" for n in range(count)).encode()
        tally.take(parser, Block(data=data, first_line=first + 1), context)
        first += count
        if not quarter and first >= records // 4:
            quarter = peak()
    flows = tally.flows()
    sent.put(
        {
            "case": name,
            "records": records,
            "counted": sum(flow.records for flow in flows),
            "flows kept": len(flows),
            "folded ports": max((flow.folded_ports or 0 for flow in flows), default=0),
            "folded ends": max((flow.folded_peers or 0 for flow in flows), default=0),
            "names kept": len(tally.dns),
            "peak MB at a quarter": round(quarter),
            "peak MB": round(peak()),
        }
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", default=list(RECORDS), choices=list(RECORDS))
    options = parser.parse_args()
    exact = True
    for name in options.only:
        sent = multiprocessing.SimpleQueue()
        process = multiprocessing.Process(target=case, args=(name, int(RECORDS[name] * options.scale), sent))
        process.start()
        found = sent.get()
        process.join()
        print(json.dumps(found))
        exact &= found["counted"] == found["records"]
    sys.exit(0 if exact else "totals are not exact")


if __name__ == "__main__":
    main()
