"""The CronJob's container, run as the manifest says: its arguments, user, volumes and read-only root.

The root file system is an overlay of this machine's that is mounted read-only in a mount namespace, so that
the kernel refuses every write beside the manifest's volumes; the API server is our own, on loopback, found
the way a pod finds it.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.apiserver.cluster import small
from tests.apiserver.kinds import CILIUM, CORE
from tests.apiserver.rbac import Rules
from tests.live.clusters import server
from tests.live.test_collect import AGENT, LINE

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "deploy" / "kustomize" / "audit" / "cronjob.yaml"
SCRIPT = Path(__file__).parent / "as_in_the_pod.sh"
_OVERLAY = (
    "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && "
    "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r"
)
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"  # which /var/run is a link to


def may_mount():
    """Whether this user may make mount namespaces, with overlays in them."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            _OVERLAY,
        ],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


pytestmark = pytest.mark.skipif(not may_mount(), reason="needs root and overlay mounts")


class Pod:
    """The manifest's pod on this machine."""

    def __init__(self, folder, cluster):
        spec = yaml.safe_load(MANIFEST.read_text())["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (self.container,) = spec["containers"]
        context = spec["securityContext"]
        self.user = f"{context['runAsUser']}:{context['runAsGroup']}"
        self.work = folder / "mounts"
        self.work.mkdir()
        self.env = {one["name"]: one["value"] for one in self.container["env"]}
        self.env |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(cluster.port)}
        self.volumes = {}
        for mount in self.container["volumeMounts"]:
            source = folder / mount["name"]
            source.mkdir()
            self.volumes[mount["mountPath"]] = (source, mount.get("readOnly", False))
            if not mount.get("readOnly"):
                # As fsGroup does.
                os.chown(source, context["runAsUser"], context["fsGroup"])
        self.volumes["/etc/flowdiag"][0].joinpath(".flowdiag.toml").write_bytes(
            MANIFEST.with_name("flowdiag.toml").read_bytes()
        )
        account = folder / "account"
        account.mkdir()
        (account / "token").write_text("admin-token")
        (account / "ca.crt").write_bytes(cluster.ca.cert_pem.bytes())
        (account / "namespace").write_text("flowdiag")
        self.volumes[ACCOUNT] = (account, True)

    def run(self, *command):
        """Run a command in it."""
        volumes = [f"{source}:{target}{':ro' if ro else ''}" for target, (source, ro) in self.volumes.items()]
        sources = sorted({str(ROOT), sys.prefix, sys.base_prefix})
        return subprocess.run(
            [
                "unshare",
                "--mount",
                "sh",
                str(SCRIPT),
                str(self.work),
                self.user,
                " ".join(volumes),
                " ".join(sources),
                *command,
            ],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHONDONTWRITEBYTECODE": "1",
                # Else all is compiled anew, which is most of what the command takes here.
                **{name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ},
                **self.env,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def audit(self):
        """Run the image's entry point with the manifest's arguments."""
        entry = [str(Path(sys.prefix) / "bin" / "python"), "-c", "from flowdiag.cli.main import main; main()"]
        return self.run(*entry, *self.container["args"])


@pytest.fixture
def pod(tmp_path):
    # Its rights are those of the manifests, with the variant for Hubble.
    names = ("rbac/read.yaml", "rbac/collect.yaml", "kustomize/audit-hubble/access.yaml")
    granted = [one for name in names for one in yaml.safe_load_all((ROOT / "deploy" / name).read_text())]
    rules = Rules([one for one in granted if "rules" in one])
    with server(small(), kinds=(*CORE, *CILIUM), tls=True, rules=rules) as cluster:
        cluster.commands[AGENT] = lambda _: (LINE * 3, b"", 0)
        yield Pod(tmp_path, cluster)


def test_the_root_is_read_only_and_the_user_is_nobody(pod):
    """What the next test rests on: writes are refused everywhere but in the volumes."""
    script = (
        "id -u; for place in / /etc /etc/flowdiag /usr /var /opt /root; do touch $place/x 2>&1; done; "
        "touch /tmp/x /var/lib/flowdiag/x && echo volumes"
    )
    done = pod.run("/bin/sh", "-c", script)

    lines = done.stdout.splitlines()
    assert lines[0] == "65532"
    assert lines[-1] == "volumes"
    assert len([line for line in lines if "Read-only file system" in line]) == 7, done


def test_the_containers_command_runs_as_in_the_manifest(pod):
    """Two nights: the first finds news and fails the job, the second knows them; history and reports are kept."""
    first, second = pod.audit(), pod.audit()

    assert first.returncode == 1, first.stderr
    assert "run 1, the first of its kind" in first.stderr
    assert second.returncode == 0, second.stderr
    assert "run 2, compared with run 1" in second.stderr
    data = pod.volumes["/var/lib/flowdiag"][0]
    report = json.loads((data / "reports" / "latest.json").read_bytes())
    assert {p["status"] for p in report["problems"] if not p["code"].startswith("FD9")} == {"known"}
    assert {path.suffix for path in (data / "reports").iterdir()} == {".json", ".md", ".html"}
    with closing(sqlite3.connect(data / "history.db")) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (2,)
    # What was collected is not left in the scratch volume.
    (scratch,) = [source for target, (source, _) in pod.volumes.items() if target.endswith("tmp")]
    assert list(scratch.glob("flowdiag-*")) == []
