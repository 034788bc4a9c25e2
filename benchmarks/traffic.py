"""What happens in the generated cluster, and which records it leaves at which node."""

from exporter import (
    ACK,
    ANSWER,
    ASK,
    DATA,
    EGRESS,
    HOST,
    INGRESS,
    NS,
    OUTSIDE_MAC,
    PARTNER,
    SUMMARY,
    SYN,
    SYN_ACK,
    VERDICT,
    WORLD,
    Exporter,
    allowed_by,
    tcp,
    trace,
)
from world import HTTP, PARTNERS, STRANGERS, VISITORS, node_ip

LIFE = 1200 * NS
"""How long connections live at most."""


class Writer(Exporter):
    """What happens in the world, as records that wait for their time."""

    def __init__(self, world, life=LIFE):
        super().__init__(world)
        self.world, self.life = world, life

    def happen(self, at):
        """Something happens at `at`."""
        rng, world = self.rng, self.world
        source = rng.choice(world.workloads)
        pod = rng.choice(source.pods)
        dice = rng.random()
        if dice < 0.084 and world.refused:
            source, other = rng.choice(world.refused)
            self.refused(at, rng.choice(source.pods), rng.choice(other.pods))
        elif dice < 0.095 and world.strays:
            self.refused_outside(at, rng.choice(rng.choice(world.strays).pods))
        elif dice < 0.22:
            self.lookup(at, pod)
        elif dice < 0.30:
            self.outside(at, pod)
        elif dice < 0.36:
            self.probe(at, pod)
        elif dice < 0.41:
            self.visit(at, pod)
        elif source.calls:
            self.connection(at, pod, rng.choice(rng.choice(source.calls).pods))

    def connection(self, at, pod, other):
        """A connection that lives for a while, as both nodes see it: what trace aggregation leaves of it."""
        rng = self.rng
        here, port = rng.randrange(32_768, 60_999), other.workload.port
        there = f'{{"TCP":{{"source_port":{here},"destination_port":{port},"flags":{{%s}}}}}}'
        back = f'{{"TCP":{{"source_port":{port},"destination_port":{here},"flags":{{%s}}}}}}'
        http = other.workload.role in HTTP and rng.random() < 0.3
        self._server_side(at, pod, other, there, back, http)
        self._client_side(at, pod, other, there, back)

    def _later(self, at):
        """When the rest of a connection is reported, and whether it is the reply that is."""
        rng = self.rng
        return [(at + rng.randrange(NS, self.life), rng.random() < 0.5) for _ in range(rng.randint(0, 4))]

    def _server_side(self, at, pod, other, there, back, http):
        node = other.node
        src, dst = _ends(pod, other, node)
        agent = self.nodes[node]
        if other.workload.isolated:
            allowed, verdict = "", "FORWARDED"
            if agent.newest:
                name = f"callers-of-{other.workload.name}"
                allowed = allowed_by("ingress", name, other.workload.namespace)
            if http:
                verdict, allowed = "REDIRECTED", f'"proxy_port":14{node % 900 + 100},' + allowed
            self.put(
                at, node, src, dst, there % SYN, verdict, VERDICT, INGRESS,
                '"policy_match_type":2,' + ASK + allowed, SUMMARY[SYN],
            )  # fmt: skip
        new, old, reply = (trace(agent, "TO_ENDPOINT", reason) for reason in ("NEW", "ESTABLISHED", "REPLY"))
        kind, kind_back = '{"type":4}', f'{{"type":4,"sub_type":{3 + node % 2}}}'
        reply = reply.replace("TO_ENDPOINT", "TO_OVERLAY" if node % 2 else "TO_STACK")
        self.put(
            at + 20_000, node, src, dst, there % SYN, "FORWARDED", kind, INGRESS, new + ASK, SUMMARY[SYN]
        )
        self.put(
            at + 90_000, node, dst, src, back % SYN_ACK, "FORWARDED", kind_back, INGRESS, reply + ANSWER,
            SUMMARY[SYN_ACK],
        )  # fmt: skip
        for when, is_reply in self._later(at):
            if is_reply:
                more = reply + ANSWER
                self.put(
                    when, node, dst, src, back % ACK, "FORWARDED", kind_back, INGRESS, more, SUMMARY[ACK]
                )
            else:
                self.put(
                    when, node, src, dst, there % DATA, "FORWARDED", kind, INGRESS, old + ASK, SUMMARY[DATA]
                )
        if http:
            self._http(at + 300_000, node, src, dst, there, back, other)

    def _http(self, at, node, src, dst, there, back, other):
        rng = self.rng
        host = f"{other.workload.name}.{other.workload.namespace}:{other.workload.port}"
        url = f"http://{host}/v1/items/{rng.randrange(100_000)}"
        method, code = rng.choice(("GET", "GET", "GET", "POST")), rng.choice((200, 200, 200, 404, 503))
        trace = f"{rng.getrandbits(64):016x}"
        headers = (
            '"headers":[{"key":":scheme","value":"http"},{"key":"Accept","value":"*/*"},'
            '{"key":"User-Agent","value":"bench/2.0"},'
            f'{{"key":"X-B3-Traceid","value":"{trace}"}},{{"key":"X-Request-Id","value":"{trace}-{code}"}}]'
        )
        spent = rng.randrange(1, 80) * 1_000_000
        ask = f'"l7":{{"type":"REQUEST","http":{{"method":"{method}","url":"{url}","protocol":"HTTP/1.1",{headers}}}}},'
        answer = (
            f'"l7":{{"type":"RESPONSE","latency_ns":"{spent}","http":{{"code":{code},"method":"{method}",'
            f'"url":"{url}","protocol":"HTTP/1.1",{headers}}}}},'
        )
        said = f"HTTP/1.1 {method} {url}"
        bare, bare_back = there.replace(',"flags":{%s}', ""), back.replace(',"flags":{%s}', "")
        kind = '{"type":129}'
        self.put(at, node, src, dst, bare, "FORWARDED", kind, INGRESS, ASK, said, "", ask)
        self.put(
            at + spent, node, dst, src, bare_back, "FORWARDED", kind, INGRESS, ANSWER,
            f"HTTP/1.1 {code} {spent // 1_000_000}ms ({method} {url})", "", answer,
        )  # fmt: skip

    def _client_side(self, at, pod, other, there, back):
        node = pod.node
        src, dst = _ends(pod, other, node)
        agent = self.nodes[node]
        to = "TO_OVERLAY" if node % 2 else "TO_STACK"
        new, old, reply = (trace(agent, to, reason) for reason in ("NEW", "ESTABLISHED", "REPLY"))
        reply = reply.replace(to, "TO_ENDPOINT")
        kind, kind_back = f'{{"type":4,"sub_type":{3 + node % 2}}}', '{"type":4}'
        service = other.workload
        if pod.workload.identity % 5 == 0 and not service.v6:
            # The dialled address of a service, where another component translates it behind Cilium's back.
            dst = (service.service_ip, OUTSIDE_MAC, WORLD)
            there = there.replace(f'"destination_port":{service.port}', '"destination_port":80')
            back = back.replace(f'"source_port":{service.port}', '"source_port":80')
            named = f'_service":{{"name":"{service.name}","namespace":"{service.namespace}"}},'
            ask, answer = '"destination' + named + EGRESS, '"source' + named + EGRESS
        else:
            ask = answer = EGRESS
        self.put(at - 30_000, node, src, dst, there % SYN, "FORWARDED", kind, ask, new + ASK, SUMMARY[SYN])
        for when, is_reply in self._later(at):
            if is_reply:
                more = reply + ANSWER
                self.put(when, node, dst, src, back % ACK, "FORWARDED", kind_back, answer, more, SUMMARY[ACK])
            else:
                self.put(when, node, src, dst, there % DATA, "FORWARDED", kind, ask, old + ASK, SUMMARY[DATA])

    def refused(self, at, pod, other):
        """A SYN and its repetitions that the destination's node refuses: a verdict and a drop each."""
        src, dst = _ends(pod, other, other.node)
        l4 = tcp(self.rng.randrange(32_768, 60_999), other.workload.port, SYN)
        self._drops(at, other.node, src, dst, l4, INGRESS)

    def refused_outside(self, at, pod):
        """A SYN to an outside end that the pod's namespace may not call."""
        src = (pod.ip, pod.mac, pod.near)
        dst = (self.rng.choice(STRANGERS), OUTSIDE_MAC, WORLD)
        self._drops(at, pod.node, src, dst, tcp(self.rng.randrange(32_768, 60_999), 443, SYN), EGRESS)

    def _drops(self, at, node, src, dst, l4, way):
        agent = self.nodes[node]
        why = '"drop_reason":133,'
        where = '"file":{"name":"bpf_lxc.c","line":2190},' if agent.newest else ""
        desc = '"drop_reason_desc":"POLICY_DENIED",'
        for again in range(self.rng.randint(1, 2)):
            when = at + again * NS + again * self.rng.randrange(20_000_000)
            said = SUMMARY[SYN]
            self.put(when, node, src, dst, l4, "DROPPED", VERDICT, way, desc + ASK, said, why)
            self.put(when + 1500, node, src, dst, l4, "DROPPED", '{"type":1}', way, where + desc, said, why)

    def lookup(self, at, pod):
        """A DNS question through the proxy and its answer, at the client's node."""
        node, server = pod.node, self.rng.choice(self.world.dns.pods)
        src, dst = _ends(pod, server, node)
        here, (ip, name) = self.rng.randrange(32_768, 60_999), self.rng.choice(PARTNERS)
        ask = f'"l7":{{"type":"REQUEST","dns":{{"query":"{name}.","observation_source":"proxy","qtypes":["A"]}}}},'
        answer = (
            f'"l7":{{"type":"RESPONSE","latency_ns":"812000","dns":{{"query":"{name}.","ips":["{ip}"],'
            '"ttl":30,"observation_source":"proxy","qtypes":["A"],"rrtypes":["A"]}},'
        )
        there = f'{{"UDP":{{"source_port":{here},"destination_port":53}}}}'
        back = f'{{"UDP":{{"source_port":53,"destination_port":{here}}}}}'
        kind, said = '{"type":129}', f"DNS Query {name}. A"
        self.put(at, node, src, dst, there, "FORWARDED", kind, EGRESS, ASK, said, "", ask)
        self.put(
            at + 800_000, node, dst, src, back, "FORWARDED", kind, EGRESS, ANSWER, f'DNS Answer \\"{ip}\\" TTL: 30 (Proxy {name}. A)',
            "", answer,
        )  # fmt: skip
        if self.rng.random() < 0.5:
            far, near = _ends(pod, server, server.node)
            seen = trace(self.nodes[server.node], "TO_ENDPOINT", "NEW") + ASK
            self.put(
                at + 200_000, server.node, far, near, there, "FORWARDED", '{"type":4}', INGRESS, seen, "UDP"
            )

    def outside(self, at, pod):
        """A connection to a partner outside, by name."""
        ip, name = self.rng.choice(PARTNERS)
        agent = self.nodes[pod.node]
        src, dst = (pod.ip, pod.mac, pod.near), (ip, OUTSIDE_MAC, PARTNER)
        here = self.rng.randrange(32_768, 60_999)
        named = f'"destination_names":["{name}"],'
        new = trace(agent, "TO_STACK", "NEW") + ASK
        reply = trace(agent, "TO_ENDPOINT", "REPLY") + ANSWER
        self.put(
            at, pod.node, src, dst, tcp(here, 443, SYN), "FORWARDED", '{"type":4,"sub_type":3}', EGRESS, new,
            SUMMARY[SYN], "", "", named,
        )  # fmt: skip
        self.put(
            at + 9_000_000, pod.node, dst, src, tcp(443, here, SYN_ACK), "FORWARDED", '{"type":4}', EGRESS,
            reply, SUMMARY[SYN_ACK], "", "", named.replace("destination", "source"),
        )  # fmt: skip

    def probe(self, at, pod):
        """The kubelet's health check, which no policy refuses."""
        agent = self.nodes[pod.node]
        src, dst = (node_ip(pod.node), OUTSIDE_MAC, HOST), (pod.ip, pod.mac, pod.near)
        here, port = self.rng.randrange(32_768, 60_999), pod.workload.port
        new, reply = trace(agent, "TO_ENDPOINT", "NEW") + ASK, trace(agent, "TO_HOST", "REPLY") + ANSWER
        self.put(
            at,
            pod.node,
            src,
            dst,
            tcp(here, port, SYN),
            "FORWARDED",
            '{"type":4}',
            INGRESS,
            new,
            SUMMARY[SYN],
        )
        self.put(
            at + 60_000, pod.node, dst, src, tcp(port, here, SYN_ACK), "FORWARDED", '{"type":4,"sub_type":2}',
            INGRESS, reply, SUMMARY[SYN_ACK],
        )  # fmt: skip

    def visit(self, at, pod):
        """Somebody outside calls a gateway; other workloads are not reachable from there."""
        if pod.workload.role != "gateway":
            return
        agent = self.nodes[pod.node]
        src = (self.rng.choice(VISITORS), OUTSIDE_MAC, WORLD)
        dst = (pod.ip, pod.mac, pod.near)
        here, port = self.rng.randrange(32_768, 60_999), pod.workload.port
        new, reply = trace(agent, "TO_ENDPOINT", "NEW") + ASK, trace(agent, "TO_STACK", "REPLY") + ANSWER
        self.put(
            at,
            pod.node,
            src,
            dst,
            tcp(here, port, SYN),
            "FORWARDED",
            '{"type":4}',
            INGRESS,
            new,
            SUMMARY[SYN],
        )
        self.put(
            at + 80_000, pod.node, dst, src, tcp(port, here, SYN_ACK), "FORWARDED", '{"type":4,"sub_type":3}',
            INGRESS, reply, SUMMARY[SYN_ACK],
        )  # fmt: skip


def _ends(pod, other, node):
    """Both ends as `node` sees them, in the family that the called workload speaks."""
    v6 = other.workload.v6
    return (
        (pod.ip6 if v6 else pod.ip, pod.mac, pod.seen_from(node)),
        (other.ip6 if v6 else other.ip, other.mac, other.seen_from(node)),
    )
