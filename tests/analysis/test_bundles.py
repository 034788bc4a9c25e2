"""Bundles as they are collected, packed and handed over: the same problems as from the loose files."""

import gzip
import io
import json
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

from flowdiag.analysis import StateOptions, analyze

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "five-tellings"
KINDS = ("pods", "namespaces", "services", "endpointslices", "nodes", "networkpolicies")
NODES = ("node-a", "node-b")


def objects(kind):
    return json.loads((FOLDER / "cluster" / f"{kind}.json").read_text())["items"]


def log(telling, node, name):
    return (FOLDER / telling / node / name).read_text()


def by_namespace(kind):
    found = defaultdict(list)
    for item in objects(kind):
        found[item["metadata"]["namespace"]].append(item)
    return found


def typed(kind, items):
    """A typed list: its items have neither kind nor version, as the API serves them."""
    bare = [
        {key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items
    ]
    version = objects(kind)[0]["apiVersion"]
    return json.dumps(
        {"kind": f"{objects(kind)[0]['kind']}List", "apiVersion": version, "metadata": {}, "items": bare}
    )


def cluster_info_dump():
    """``kubectl cluster-info dump -A --output-directory``: no policies, no namespaces; those were got apart."""
    files = {"dump/nodes.json": typed("nodes", objects("nodes"))}
    for kind in ("pods", "services"):
        for namespace, items in by_namespace(kind).items():
            files[f"dump/{namespace}/{kind}.json"] = typed(kind, items)
    for node in NODES:
        pod = f"weave-net-{node[-1]}x2kz"
        files[f"dump/kube-system/{pod}/logs.txt"] = "".join(
            f"==== START logs for container {container} of pod kube-system/{pod} ====\n{text}"
            f"==== END logs for container {container} of pod kube-system/{pod} ====\n"
            for container, text in (
                ("weave", "INFO: 2026/05/19 14:00:00.000000 up\n"),
                ("weave-npc", log("weave", node, "weave-npc.log")),
            )
        )
    # Every other pod's log is in it, too.
    files["dump/kube-system/etcd-node-a/logs.txt"] = (
        "==== START logs for container etcd of pod kube-system/etcd-node-a ====\ncompacted revision 7\n"
    )
    for kind in ("namespaces", "networkpolicies", "endpointslices"):
        files[f"dump/{kind}-apart.json"] = (FOLDER / "cluster" / f"{kind}.json").read_text()
    return files


def must_gather():
    """``oc adm must-gather`` and ``oc adm inspect`` of the application's namespaces; YAML, which JSON is too."""
    top = "must-gather.local.5531/quay-io-openshift-sha256-1f0c"
    files = {
        f"{top}/version": "4.16",
        f"{top}/event-filter.html": "<html></html>",
        "must-gather.local.5531/timestamp": "x",
    }
    groups = {
        "pods": "core",
        "services": "core",
        "networkpolicies": "networking.k8s.io",
        "endpointslices": "discovery.k8s.io",
    }
    for kind, group in groups.items():
        for namespace, items in by_namespace(kind).items():
            files[f"{top}/namespaces/{namespace}/{group}/{kind}.yaml"] = typed(kind, items)
    for item in objects("namespaces"):
        name = item["metadata"]["name"]
        files[f"{top}/namespaces/{name}/{name}.yaml"] = json.dumps(item)
    for item in objects("nodes"):
        files[f"{top}/cluster-scoped-resources/core/nodes/{item['metadata']['name']}.yaml"] = json.dumps(item)
    for node in NODES:
        place = f"{top}/namespaces/openshift-ovn-kubernetes/pods/ovnkube-node-{node}/ovn-acl-logging/ovn-acl-logging/logs"
        text = log("ovn", node, "acl-audit-log.log").splitlines(keepends=True)
        # Fetched with time stamps, the older half rotated away.
        stamped = [f"{line[:19]}.999999999Z {line}" for line in text]
        half = len(stamped) // 2
        files[f"{place}/rotated/0.log.20260519-140700.gz"] = gzip.compress(
            "".join(stamped[:half]).encode(), mtime=0
        )
        files[f"{place}/current.log"] = "".join(stamped[half:])
    return files


def support_bundle():
    """replicated's troubleshoot: a folder a kind, a file a namespace, logs where a collector asked for them."""
    top = "support-bundle-2026-05-19T14_20_00"
    files = {
        f"{top}/version.yaml": "apiVersion: troubleshoot.sh/v1beta2\n",
        f"{top}/cluster-resources/namespaces.json": typed("namespaces", objects("namespaces")),
        f"{top}/cluster-resources/nodes.json": typed("nodes", objects("nodes")),
        f"{top}/cluster-resources/pods-errors.json": "null",
    }
    names = {
        "pods": "pods",
        "services": "services",
        "networkpolicies": "network-policy",
        "endpointslices": "endpointslices",
    }
    for kind, folder in names.items():
        for namespace, items in by_namespace(kind).items():
            files[f"{top}/cluster-resources/{folder}/{namespace}.json"] = typed(kind, items)
    for node in NODES:
        files[f"{top}/cluster-resources/pods/logs/kube-system/weave-net-{node[-1]}/weave-npc.log"] = log(
            "weave", node, "weave-npc.log"
        )
    return files


def eks():
    """The log collector of one node each; objects apart."""
    files = {}
    for node in NODES:
        top = f"eks_i-0{node[-1] * 15}_2026-05-19_1420-UTC_0.7.8"
        text = log("aws", node, "network-policy-agent.log").splitlines(keepends=True)
        half = len(text) // 2
        place = f"{top}/var_log/aws-routed-eni/network-policy-agent"
        files[f"{place}-2026-05-19T14-06-00.000.log.gz"] = gzip.compress(
            "".join(text[:half]).encode(), mtime=0
        )
        files[f"{place}.log"] = "".join(text[half:])
        files[f"{top}/networking/iptables.txt"] = "*filter\n-A INPUT -j DROP\n"
        files[f"{top}/cni/10-aws.conflist"] = "{}"
    return files | {
        f"objects/{kind}.json": (FOLDER / "cluster" / f"{kind}.json").read_text() for kind in KINDS
    }


def antrea_line(line):
    """What Antrea writes for a packet that OVN logged so."""
    stamp = line[:10].replace("-", "/") + " " + line[11:23] + "000"
    said = dict(pair.split("=", 1) for pair in line.split(": ", 1)[1].split(",")[1:] if "=" in pair)
    egress = "from-lport" in line
    protocol = line.split(": ", 1)[1].split(",")[0].upper()
    way = "Egress" if egress else "Ingress"
    return (
        f"{stamp} {way}DefaultRule K8sNetworkPolicy <nil> {way} Drop <nil> <nil> {said['nw_src']} {said['tp_src']} "
        f"{said['nw_dst']} {said['tp_dst']} {protocol} 60 <nil>\n"
    )


def antrea():
    """``antctl supportbundle``: a tarball a node inside the folder, objects in one file."""
    top = "support-bundles_20260519T142000Z"
    everything = [item for kind in KINDS for item in objects(kind)]
    files = {f"{top}/clusterinfo": json.dumps({"apiVersion": "v1", "kind": "List", "items": everything})}
    for node in NODES:
        text = "".join(antrea_line(line) for line in log("ovn", node, "acl-audit-log.log").splitlines())
        inner = {
            "logs/networkpolicy/np.log": text,
            "agentinfo": "kind: AntreaAgentInfo\n",
            "flows": "cookie=0x1\n",
            "iptables": "*raw\n",
        }
        files[f"{top}/agent_{node}.tar.gz"] = packed(inner, "w:gz")
    return files


def plain():
    """Folders that somebody made by hand."""
    files = {
        f"incident/objects/{kind}.json": (FOLDER / "cluster" / f"{kind}.json").read_text() for kind in KINDS
    }
    for node in NODES:
        files[f"incident/{node}/weave.txt"] = log("weave", node, "weave-npc.log")
    return files | {
        "incident/notes.md": "# It broke at two\n",
        "incident/screenshot.png": b"\x89PNG\r\n\x1a\n\x00\x00",
    }


def packed(files, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def as_zip(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def as_zst(files):
    zstandard = pytest.importorskip("zstandard")
    return zstandard.ZstdCompressor().compress(packed(files, "w:"))


PACKINGS = {
    "tar": lambda files: packed(files, "w:"),
    "tar.gz": lambda files: packed(files, "w:gz"),
    "tar.zst": as_zst,
    "zip": as_zip,
}
BUNDLES = {
    "cluster-info-dump": (cluster_info_dump, "weave"),
    "must-gather": (must_gather, "ovn-kubernetes"),
    "support-bundle": (support_bundle, "weave"),
    "eks": (eks, "aws-vpc-cni"),
    "antrea": (antrea, "antrea"),
    "plain": (plain, "weave"),
}


def told(report):
    """What a reader acts on."""
    return {
        (
            problem.code,
            problem.count,
            problem.isolating,
            problem.nearest,
            problem.counterfactual and problem.counterfactual.summary,
            problem.first[:19],
        )
        for problem in report.problems
    }


@pytest.fixture(scope="module")
def loose():
    """The problems as OVN's loose files tell them; those of AWS and Weave are the same."""
    return told(analyze([str(FOLDER / "ovn")], state=StateOptions(paths=(str(FOLDER / "cluster"),))))


@pytest.mark.parametrize("packing", ["folder", *PACKINGS])
@pytest.mark.parametrize("bundle", BUNDLES)
def test_bundles_tell_the_same(tmp_path, loose, bundle, packing):
    """Evidence and objects are found by the layout, whatever it is packed in, with nothing left unread."""
    make, cni = BUNDLES[bundle]
    files = make()
    if packing == "folder":
        for name, content in files.items():
            path = tmp_path / "given" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = tmp_path / "given"
    else:
        given = tmp_path / f"bundle.{packing}"
        given.write_bytes(PACKINGS[packing](files))
    report = analyze([str(given)])

    assert told(report) == loose
    assert report.complete, report.warnings
    assert report.cluster.cni == (cni,)


def test_a_bundle_inside_an_archive(tmp_path, loose):
    """The tarball of a bundle in the zip of a ticket: one level of nesting."""
    path = tmp_path / "ticket.zip"
    path.write_bytes(as_zip({"mails/must-gather.tar.gz": packed(must_gather(), "w:gz")}))

    assert told(analyze([str(path)])) == loose


def test_the_same_file_reached_twice(tmp_path, loose):
    """By links inside an archive, by a folder and one of its files, by a hard link: read once."""
    files = plain()
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    folder = tmp_path / "incident"
    (folder / "again.txt").symlink_to(folder / "node-a" / "weave.txt")
    (folder / "hard.txt").hardlink_to(folder / "node-b" / "weave.txt")
    report = analyze([str(folder), str(folder / "node-a" / "weave.txt"), str(folder)])

    assert told(report) == loose
    assert len([one for one in report.inputs if one.parser]) == 2


def test_an_archive_beside_what_was_unpacked_from_it(tmp_path, loose):
    """Nobody counts double because both lie in one folder, or because the archive is in another one too."""
    content = packed(must_gather(), "w:gz")
    for name, text in must_gather().items():
        path = tmp_path / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "must-gather.tar.gz").write_bytes(content)
    (tmp_path / "ticket.zip").write_bytes(as_zip({"mails/must-gather.tar.gz": content}))

    assert told(analyze([str(tmp_path)])) == loose


def test_alike_files_of_two_nodes_are_two(tmp_path):
    """What one archive holds twice, in folders of two nodes, is read twice."""
    line = "WARN: 2026/03/01 12:00:01.100000 UDP connection from 10.0.0.5:4001 to 10.0.1.7:53 blocked by Weave NPC.\n"
    path = tmp_path / "logs.tar"
    path.write_bytes(packed({"node-a/weave.log": line, "node-b/weave.log": line}, "w"))

    assert [one.records for one in analyze([str(path)]).inputs] == [1, 1]


def test_what_a_must_gather_leaves_out_is_said(tmp_path):
    """The default one holds platform namespaces only: nothing of the others is not "no policies"."""
    files = {
        name: text
        for name, text in must_gather().items()
        if "/namespaces/data/" not in name and "/namespaces/shop/" not in name
    }
    path = tmp_path / "must-gather.tar.gz"
    path.write_bytes(packed(files, "w:gz"))
    report = analyze([str(path)])
    codes = {problem.destination.ips and problem.destination.ips[0]: problem for problem in report.problems}

    assert report.totals.denied == 322
    for problem in codes.values():
        if problem.code != "FD401":
            assert problem.confidence in ("possible", "likely")
            assert not problem.isolating
