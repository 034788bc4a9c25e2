"""The manifests of the scheduled audit: what kubectl makes of them, the API's own types, least rights."""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes.client
import pytest
import yaml

from flowdiag import __version__

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
AUDIT = DEPLOY / "kustomize" / "audit"

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def documents(path):
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def built(name):
    """What kubectl applies."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kustomize" / name)], capture_output=True, text=True, check=True
    )
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def cronjob():
    (one,) = documents(AUDIT / "cronjob.yaml")
    return one


def container():
    (one,) = cronjob()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return one


def strange(kind, value, path):
    """Fields that the API's type does not have, and values of another type: what the API server would refuse."""
    if kind.startswith("List["):
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [
            text for index, one in enumerate(value) for text in strange(kind[5:-1], one, f"{path}[{index}]")
        ]
    if kind.startswith("Dict["):
        inner = kind[5:-1].partition(",")[2].strip()
        return [text for key, one in value.items() for text in strange(inner, one, f"{path}.{key}")]
    plain = {"str": str, "int": int, "bool": bool, "float": (int, float)}.get(kind)
    if plain is not None:
        right = isinstance(value, plain) and not (kind == "int" and isinstance(value, bool))
        return [] if right else [f"{path}: {value!r} is no {kind}"]
    model = getattr(kubernetes.client, kind, None)
    if model is None or not hasattr(model, "attribute_map"):
        return []
    fields = {model.attribute_map[name]: type_ for name, type_ in model.openapi_types.items()}
    found = [f"{path}: {kind} has no {key}" for key in value if key not in fields]
    return found + [
        text
        for key, one in value.items()
        if key in fields
        for text in strange(fields[key], one, f"{path}.{key}")
    ]


def api_type(one):
    group, _, version = one["apiVersion"].rpartition("/")
    prefix = {"rbac.authorization.k8s.io": "", "batch": "", "": ""}[group]
    kind = {"Role": "V1Role"}.get(one["kind"], f"{version.capitalize()}{prefix}{one['kind']}")
    return kind if hasattr(kubernetes.client, kind) else f"Core{kind}"


@pytest.mark.parametrize(
    "path", sorted(AUDIT.parent.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_every_field_is_one_of_the_apis(path):
    """By the types of the kubernetes client, which are generated from the API's OpenAPI description."""
    for one in documents(path):
        if one["kind"] == "Kustomization":
            continue
        assert hasattr(kubernetes.client, api_type(one)), one["kind"]
        assert strange(api_type(one), one, one["kind"]) == []


def test_a_wrong_field_and_a_wrong_type_are_found():
    """The check can fail: a misspelt field, a number as text, a field one level too high."""
    one = cronjob()
    one["spec"]["concurencyPolicy"] = "Forbid"
    one["spec"]["jobTemplate"]["spec"]["backoffLimit"] = "0"
    one["spec"]["jobTemplate"]["spec"]["template"]["spec"]["readOnlyRootFilesystem"] = True

    assert sorted(text.rpartition(": ")[2] for text in strange("V1CronJob", one, "CronJob")) == [
        "'0' is no int",
        "V1CronJobSpec has no concurencyPolicy",
        "V1PodSpec has no readOnlyRootFilesystem",
    ]


@needs_kubectl
@pytest.mark.parametrize("name", ["audit", "audit-hubble"])
def test_kubectl_builds_it_and_every_name_that_is_used_is_there(name):
    """The job's ServiceAccount, ConfigMap and volume claim, and the roles that are bound."""
    objects = built(name)
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    (job,) = [one for one in objects if one["kind"] == "CronJob"]
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    assert ("ServiceAccount", spec["serviceAccountName"]) in there
    for volume in spec["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in there
        if "persistentVolumeClaim" in volume:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there
    for binding in objects:
        if binding["kind"].endswith("Binding"):
            assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in there
            assert binding["subjects"] == [
                {
                    "kind": "ServiceAccount",
                    "name": "flowdiag-audit",
                    "namespace": job["metadata"]["namespace"],
                }
            ]
    assert spec["containers"][0]["image"] == f"flowdiag:{__version__}"


@needs_kubectl
def test_the_audit_may_get_and_list_and_nothing_else():
    """No write, no watch, no secrets, no commands in pods; with Hubble, commands in the agents' namespace alone."""
    verbs = {verb for one in built("audit") for rule in one.get("rules", ()) for verb in rule["verbs"]}
    resources = {
        resource for one in built("audit") for rule in one.get("rules", ()) for resource in rule["resources"]
    }
    assert verbs == {"get", "list"}
    assert not {one for one in resources if re.search(r"secret|exec|attach|^pods/proxy|nodes/|\*", one)}

    more = [one for one in built("audit-hubble") if one["kind"] in ("Role", "RoleBinding")]
    assert {one["metadata"]["namespace"] for one in more} == {"kube-system"}
    (role,) = [one for one in more if one["kind"] == "Role"]
    assert role["rules"] == documents(DEPLOY / "rbac" / "hubble.yaml")[0]["rules"]


def test_the_pod_is_locked_down():
    """Non-root, a read-only root, no capabilities, bounded memory: what `restricted` asks, and more."""
    pod = cronjob()["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    own = container()["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container()["resources"]["limits"]["memory"]
    assert cronjob()["spec"]["concurrencyPolicy"] == "Forbid"
    assert cronjob()["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_the_image_is_what_the_pod_expects():
    """The same user, an entry point that takes the job's arguments, and the extras that the options need."""
    text = (DEPLOY / "Containerfile").read_text()
    user = cronjob()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"]

    assert f"USER {user['runAsUser']}:{user['runAsGroup']}" in text
    assert 'ENTRYPOINT ["flowdiag"]' in text
    extras = re.search(r'"\.\[([a-z,]+)\]"', text)
    assert extras is not None
    assert {"fast", "notify", "remote"} <= set(extras[1].split(","))
    assert "command" not in container()


def test_docker_leaves_out_what_podman_leaves_out():
    """docker reads no .containerignore, and setuptools takes modules from a `build` folder that lies about."""
    ignored = (DEPLOY.parent / ".dockerignore").read_text().split()

    assert ignored == (DEPLOY.parent / ".containerignore").read_text().split()
    assert {"build", ".git", ".venv"} <= set(ignored)
