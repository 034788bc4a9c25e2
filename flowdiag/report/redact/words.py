"""Words that say nothing about whose cluster it is: schemas, protocols, enums, well-known keys, sentences.

Whatever else may be a name is replaced by `flowdiag.report.redact`.
"""

from __future__ import annotations

import re

from flowdiag.model.cilium import RESERVED_IDENTITIES

__all__ = [
    "CHUNK",
    "ENTITIES",
    "PUBLIC",
    "is_format_word",
    "is_kind",
    "is_number",
    "is_pair",
    "is_sentence_word",
    "may_be_called",
]

CHUNK = r"[^\s\"'`=,;()\[\]{}<>|&?!*\\]+"
"""What a text's words are cut into: names, addresses, ports and paths keep together."""

PUBLIC = frozenset({"kube-system", "kube-public", "kube-node-lease", "kube-dns", "coredns", "kubernetes"})
"""Names that Kubernetes itself gives, the same in every cluster: they stay."""

ENTITIES = frozenset(
    {"all", "cluster", "encrypted-overlay", "none", "unknown", *RESERVED_IDENTITIES.values()}
)
"""Cilium's reserved identities; they stay where an entity is named."""

# Keys and enum values of the policy kinds' manifests (networking.k8s.io/v1, policy.networking.k8s.io,
# cilium.io/v2, projectcalico.org/v3) and of kubectl's output.
_SCHEMA = """
action allow anp apiGroup apiVersion app applyOnForward cidr cidrGroupRef cidrSet component conditions created
creationTimestamp default deny deleted description destination dns domain egress egressDeny enableDefaultDeny
endPort endpointSelector entities except exists except from fromCIDR fromCIDRSet fromEndpoints fromEntities
fromNodes fromRequires generation group groups headers host http icmp icmps ingress ingressDeny ipBlock items
key kind kinds labels l7 log managedFields matchExpressions matchLabels matchName matchPattern metadata method name
namedPort namespace namespaceSelector namespaces nets networks nodeSelector none notNets notPorts notSelector
null operator order path pass pod podSelector pods policyTypes port portNumber portRange ports priority
protocol protocols resourceVersion role rules same selector serverNames service serviceAccountSelector services
source spec start end subject tier tiers to toCIDR toCIDRSet toEndpoints toEntities toFQDNs toGroups toNodes
toPorts toRequires toServices type types uid updated values version
In NotIn Exists DoesNotExist Allow Deny Pass Log Accept Ingress Egress
TCP UDP SCTP ICMP ICMPv6 ICMPv4 UDPLite ANY IPv4 IPv6 HTTP GET HEAD POST PUT DELETE PATCH OPTIONS
true false yes no on off v1 v2 v3 v1alpha1 v1alpha2 v1beta1 v1beta2 List
NetworkPolicy AdminNetworkPolicy BaselineAdminNetworkPolicy ClusterNetworkPolicy CiliumNetworkPolicy
CiliumClusterwideNetworkPolicy GlobalNetworkPolicy StagedNetworkPolicy StagedGlobalNetworkPolicy
StagedKubernetesNetworkPolicy CIDRGroup CiliumCIDRGroup NetworkSet GlobalNetworkSet HostEndpoint
Deployment StatefulSet DaemonSet ReplicaSet ReplicationController Job CronJob Pod Service Namespace Node
networkpolicy adminnetworkpolicy baselineadminnetworkpolicy clusternetworkpolicy ciliumnetworkpolicy
ciliumclusterwidenetworkpolicy globalnetworkpolicy deploy deployment statefulset daemonset replicaset cronjob sts
ds rs svc kubernetes local
world world-ipv4 world-ipv6 cluster host remote-node kube-apiserver health init unmanaged all reserved k8s any
networkpolicies globalnetworkpolicies ciliumnetworkpolicies ciliumclusterwidenetworkpolicies networksets pods
services deployments namespaces nodes leases knp cnp ccnp
"""

# Words of log lines: cilium monitor and agent, Calico's packet log, flow logs and Felix, the AWS agent, Antrea,
# OVN, netfilter's LOG target.
_LOGS = """
addr address and at bytes calico-packet cluster cpu dport drop dropped dst endpoint error file flow flags for
forwarded from icmp identity ifindex in info interface ip is kernel len level line log mac mark msg msgs net
netfilter node not of on orig-ip out packet packets policy policy-verdict proto reason sctp seq sport src state
tcp time to tos ttl udp unknown verdict warning window with xx denied allowed allow audit egress ingress
direction match none reject L3-Only L3-L4 L4-Only L3 L4 L7 DF SYN ACK FIN RST PSH URG IN OUT PHYSIN PHYSOUT SRC
DST LEN TOS PREC TTL ID PROTO SPT DPT WINDOW RES URGP MARK MAC MACSRC MACDST MACPROTO TC HOPLIMIT FLOWLBL CODE
TYPE ACCEPT DENY DENIED EGRESS INGRESS DROP Drop Reject Deny Allow Policy Flags Flow Info Src Dst Dest Fwd IP Port
Proto Verdict Direction Egress Ingress EndOfTier CalicoNetworkPolicy K8sNetworkPolicy AntreaNetworkPolicy
AntreaClusterNetworkPolicy AntreaPolicyIngressRule AntreaPolicyEgressRule IngressDefaultRule EgressDefaultRule
IngressMetricRule EgressMetricRule Profile ActionUnspecified nil acl_log alert to-lport from-lport syn ack fin rst psh later INFO WARN WARNING wep hep ns tcp6 udp6
sctp6 icmp6 ovn_pinctrl0 REJECT OK NODATA SKIPDATA SIP DIP SPORT DPORT PROTOCOL PolicyVerdict EP DEST Redirect IPv6-ICMP
IngressRule EgressRule AntreaPolicyAppTierIngressRule AntreaPolicyAppTierEgressRule
"""

# Words of flowdiag's own sentences (titles, summaries, advice, notes): a name that is one of them is looked for
# where names stand only, so that a namespace called "blocked" does not take the word out of every title.
_SENTENCES = """
a about above absent accept accepted accepts access action add added address addresses admin admit admits
after afterwards again against agent agents aggregated agree ahead alias aliases all allow allowed allowing
allows alone also although always ambient among an analyze anchor anchored and anew another answer answered
answers any anything apart application applies apply archive archives are around arrive arrived as aside ask
asked asks assigned asymmetric at attempt audit auth authenticated authentication author authority automatic
back background balancer bare baseline bash be bears became becomes before began begun behind being belongs
below beside between beyond block blocked blocks both bounds bpf bring broad broken buffer but by bypasses
byte bytes cache calicoctl call called calls came can cannot carry case cause ccnp certain certificate
certificates change changed changes character characters check checks chroot cidr cilium claim claimed
claims client clients clocks close closed closes closest cloud cluster clusters cni cnp code collect
collection collector combines come comes command compare complete completed component components compressed
concerned concerns condition config configuration confirm connect connection connectionrefused connections
connects conntrack container contains context control controller correct could count counted counters counts
covered covers create created credentials curl current cut damaged dash data database dataplanes day debug
decide decided decides decision declare declares deep deeply default delay delete deleted denial denials
denied denies deny depends describe design destination detect device diagnosis dialect did died differ
differently differs direction directions directory distinct distributed dns do document does doing done drop
dropped dst dump dws each earlier edit effect egress either elements else empty encoding end ended endpoint
endpoints endpointslices ends enforce enforced enforcement enforcer enforcers enforces enough enters
entities entity entries entry ephemeral equally error evaluated even events ever every everything everywhere
evidence exactly example except exception exec executable expand expansion expected expired expires explain
export express expression expressions fail failed failsafe false family far fast faster fault feed field
file files filter find fingerprint firewall firewalls first float flow flowdiag flows fold folder folds
follow followed follows for forbidden forces form format forwarded forwards found from frozen full function
garbage get gets getting give given gives global globalnetworkpolicies go goes gone good grace groups grows
had half hand handling hands handshake hang hardly has hashable have health held here higher hold holds hop
host hosts how http hubble icmps id identity idle if illegal image implicit import in include ineffective
inferred ingress init input inputs inside install installed instance instead int interface interval into
invalid ipcache iptables is isolate isolated isolates isolating isolation it item items its itself job jobs
journalctl json jsonpb just keep keeps kept key kind kinds know known knows kubeconfig kubectl kubelet
kubernetes label labelled labels lacks lags large larger last later layer learnt least leave leaves less let
lets level lie lies like likely limit limited line lines link list listen listens lists little live load
local localhost log logged logs long longer look looked looks lookups loses lost lower made makes manage
managed manages manifest manifests many map maps match matched matches matter may mean meaning means meant
meanwhile measure meet meets memory mend mending mends mesh message messages met metadata method metrics
micro migrating min minimum misses missing mistake mixed mode moment month more most mounted musl must
mutual name named names namespace namespaces naming nanoseconds narrow nc ndots near nearest nearly need
needed needs neither nested network networkpolicies networks never new newly news next nftables no nobody
node nodes noise none nor not noted nothing notification notin now ns nslookup number numeric object objects
observe observed of off often old older on once one ones only open opened opens operation operator option or
order other others out outside over overrides own owner owners packet packets pair pairs parse parser
parsers part partly pass passed passes passing path paths peer peers pending per period permission permitted
pid pip pipe placed plain plane plugin pod pods point policed polices policies policy port ports possibly
prefix pressure previous priority probe probes problem problems process processes profile program protocol
protocols proved proves provider proxies proxy pull purpose puts queries query quickest quoted raise raised
raises range ranges rank rare rarer rate raw reach reached reaches read readable reading reads reason record
recorded records redirect redirected refusal refusals refuse refused refuses refusing regular rejects
release releases remote removal remove removed repeats replaces replay replayed report reports request
requests requirement reserved reset resolved resources response rest restart restarted restarts restore
result retry reverting rhythm right rights ring rm roll rolled room root route routes rule rules run running
runs safe said same sandbox say says scan scope scrape sctp search second secondary seconds security see
seems seen sees select selected selector selectors selects send sent sequential served server service
services set sets setting settings settles several shape share short shortens show shows side sides signed
silence simplify since size sleep slower smaller sniff so socket some something source space spec specific
split src staged stamps stand standard stands start started starts state states static stays steady still
stored stream strictly string strings such suffixes summary sums supported sure svc switched synchronous sys
sysdump system table take takes target task tcp tell tells template test text texts than that the their
theirs them themselves then there these they this those though through tied tier tiers time timed timeout
times to token told too took tools trace traffic transfers translation transport tried true try tunnel tuple
two type types udp undone unexpected unfold unfolds unknown unless unmanaged unnamed unpack unpacked
unreachable unrecognized until unusable up updated upgrade usable usage use used user usual valid value
values verbs verdict verdicts version versions view wait waited waits want wanted wants warning warnings was
watch way webhook well were wget what whatif when where whether which whichever while who whoami whole whose
why window wins with within without word work workaround worked worker workers workload workloads world
would writable write writes written wrong yaml year yet yields you zcat zero zone zstd
"""

_FORMAT = frozenset(_SCHEMA.split()) | frozenset(_LOGS.split())
_SENTENCE = _FORMAT | frozenset(_SENTENCES.split())

# DROPPED, POLICY_DENIED, L3_L4, TRACE_TO_LXC: enum values of exports
_ENUM = re.compile(
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|DROPPED|FORWARDED|ERROR|AUDIT|REDIRECTED|TRACED|TRANSLATED|UNKNOWN"
)
# 8080, -1, 0x6a51c2d1, 1.9, and what has no letters at all
_NUMBER = re.compile(r"[-+]?[0-9]{1,9}(?:\.[0-9]{1,9})?|0x[0-9a-f]{1,8}|[^0-9A-Za-z\x80-\U0010ffff]*")
# 2026-03-17T14:03:13.850000000Z, 14:03:13.850, 2026/01/05
_TIME = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ]?)?(?:\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d)?|\d{4}/\d\d/\d\d"
)
# 10:12
_PAIR = re.compile(r"\d\d:\d\d")
# What no namespace, object or label may be called (RFC 1123 names, label values): 14:03:13, 2026/01/05, -1
_NO_NAME = re.compile(r"[^0-9A-Za-z]*|.*[:/].*|[-+].*", re.DOTALL)

# NetworkPolicy frontend/x, node worker-1, namespace shop, networkpolicy.projectcalico.org x
_KIND = re.compile(
    r"(?:[A-Z][A-Za-z]*(?:Policy|Set|Group|Endpoint)|Deployment|StatefulSet|DaemonSet|ReplicaSet"
    r"|ReplicationController|Job|CronJob|Pod|Service|Namespace|Node|Tier|ServiceAccount|Cluster"
    r"|[a-z]*networkpolic(?:y|ies)|deployment|statefulset|daemonset|replicaset|cronjob"
    r"|namespace|node|tier|-n|--namespace)(?:\.[a-z.0-9]+)?"
)


def is_number(word: str) -> bool:
    """A number, a time, or nothing that has letters."""
    return _NUMBER.fullmatch(word) is not None or _TIME.fullmatch(word) is not None


def is_pair(word: str) -> bool:
    """Two numbers that may be two names, as the clocks of logs have seconds."""
    return _PAIR.fullmatch(word) is not None


def may_be_called(number: str) -> bool:
    """Whether something may be called as this number is written: 8080, 1.9, 0x1f, 2026-03-17."""
    return _NO_NAME.fullmatch(number) is None


def is_format_word(word: str) -> bool:
    """A word of some schema, protocol or log format, or a number."""
    return word in _FORMAT or _ENUM.fullmatch(word) is not None or is_number(word)


def is_sentence_word(word: str) -> bool:
    """As `is_format_word`, or a word of flowdiag's own sentences."""
    return word in _SENTENCE or _ENUM.fullmatch(word) is not None or is_number(word)


def is_kind(word: str) -> bool:
    """Whether a name may follow: ``NetworkPolicy``, ``node``, ``-n``."""
    return _KIND.fullmatch(word) is not None
