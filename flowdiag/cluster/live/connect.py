"""From kubectl's options to a client: in-cluster settings, kubeconfig files, contexts, impersonation, proxies.

The kubernetes client does the work (exec credential plugins, tokens that are renewed, TLS, ``proxy-url``,
HTTPS_PROXY and NO_PROXY).  Two things it leaves out are done here as kubectl does them: the first of several
kubeconfig files that names a current context decides, and impersonation, by option or in the kubeconfig's
user (kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowdiag.cluster.cleaning import clean_text
from flowdiag.cluster.live.api import RETRIES, Api
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.live.plugins import plugin_heard
from flowdiag.cluster.yamlsafe import YamlError, read_documents
from flowdiag.model.errors import ClusterError, InputError, UsageError
from flowdiag.model.whole import read_whole

__all__ = ["IN_CLUSTER", "connect"]

IN_CLUSTER = "in-cluster"
"""What the cluster is called that the program runs in; a context of this name is taken for it."""

_MOST = 16 << 20
"""Bytes of a kubeconfig."""
_MOST_ALIASES = 30
"""The most YAML aliases in a kubeconfig.  The client expands aliases of aliases, which can grow as three to the power
of a third of their number."""
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def connect(options: ClusterOptions) -> Api:
    """Open the cluster; nothing is asked of it yet.

    Raises:
        UsageError: impersonated groups without a user.
        ClusterError: no cluster is named, or what names it cannot be read.
    """
    from kubernetes.client import Configuration

    if (options.as_groups or options.as_uid) and not options.as_user:
        raise UsageError("--as-group and --as-uid go with --as USER")
    configuration = Configuration()
    paths = _kubeconfigs(options)
    if paths:
        name, namespace, user = _from_kubeconfig(configuration, paths, options)
    elif "KUBERNETES_SERVICE_HOST" in os.environ and not (options.context or options.kubeconfig):
        name, namespace, user = _in_cluster(configuration)
    else:
        named = options.kubeconfig or os.environ.get("KUBECONFIG")
        raise ClusterError(
            f"no kubeconfig at {named}"
            if named
            else "no cluster named: no kubeconfig, and not inside a cluster",
            hint="name one: --kubeconfig FILE, or set KUBECONFIG",
        )
    return _open(configuration, name, namespace, _impersonation(options, user), options)


def _open(
    configuration: Any,
    name: str,
    namespace: str | None,
    impersonate: Sequence[tuple[str, str]],
    options: ClusterOptions,
) -> Api:
    from kubernetes.client import ApiClient

    configuration.retries = RETRIES
    try:
        client = ApiClient(configuration)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ClusterError(
            f"{name}: {error}", hint="are the certificates of the kubeconfig readable?"
        ) from error
    return Api(
        client, name=name, namespace=namespace, impersonate=impersonate, timeout_s=options.request_timeout_s
    )


def _kubeconfigs(options: ClusterOptions) -> list[str]:
    given = options.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [str(Path(one).expanduser()) for one in given.split(os.pathsep) if one]
    return [path for path in paths if Path(path).is_file()]


def _from_kubeconfig(
    configuration: Any, paths: Sequence[str], options: ClusterOptions
) -> tuple[str, str | None, dict[str, Any]]:
    """Fill `configuration`; the context's name, its namespace and its user entry."""
    import yaml
    from kubernetes.config import ConfigException, load_kube_config
    from kubernetes.config.kube_config import KubeConfigMerger

    files = os.pathsep.join(paths)
    for path in paths:
        _sound(path)
    try:
        merged = KubeConfigMerger(files).config
        context = options.context or _current_context(paths)
        if context is None:
            raise ClusterError(
                f"{files}: no current context", hint="name one: --context NAME (kubectl config get-contexts)"
            )
        entry = _named(merged.value.get("contexts"), context, "context")
        if entry is None:
            raise ClusterError(
                f"{files}: no context is called {context!r}", hint="see them: kubectl config get-contexts"
            )
        user = _named(merged.value.get("users"), str(entry.get("user")), "user") or {}
        with plugin_heard(user):
            load_kube_config(
                config_file=files, context=context, client_configuration=configuration, persist_config=False
            )
    except yaml.YAMLError as error:
        raise ClusterError(f"{files}: not YAML ({error.__class__.__name__})") from error
    except (ConfigException, OSError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise ClusterError(f"{files}: {_plain(error)}", hint="kubectl config view checks it") from error
    namespace = entry.get("namespace")
    return context, str(namespace) if namespace else None, user


def _sound(path: str) -> None:
    """Check that a kubeconfig is within bounds before the client reads it, which has none for depth and aliases."""
    import yaml

    try:
        text = clean_text(read_whole(path, _MOST))
        read_documents(text)
        aliases = sum(
            isinstance(event, yaml.AliasEvent)
            for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path}: {_plain(error)}") from error
    except YamlError as error:
        where = f" (line {error.line})" if error.line is not None else ""
        raise ClusterError(f"{path}: not read: {error}{where}") from error
    except InputError as error:
        raise ClusterError(str(error)) from error
    if aliases > _MOST_ALIASES:
        raise ClusterError(f"{path}: not read: {aliases} YAML aliases")


def _plain(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not text"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if error.__class__.__name__ != "ConfigException":
        return f"unusable ({error.__class__.__name__})"
    # The client's own messages quote the entry that is at fault, whole, and that entry may hold a token.
    return str(error).partition("{")[0].strip().rstrip("/")[:200]


def _current_context(paths: Sequence[str]) -> str | None:
    """The first file's, as kubectl has it; the client's own merging takes the last's."""
    import yaml

    for path in paths:
        with Path(path).open("rb") as stream:
            content = yaml.safe_load(stream)
        if isinstance(content, dict) and content.get("current-context"):
            return str(content["current-context"])
    return None


def _named(entries: Any, name: str, key: str) -> dict[str, Any] | None:
    for one in entries or ():
        value = getattr(one, "value", one)
        if value.get("name") == name:
            inner = value.get(key)
            return inner if isinstance(inner, dict) else {}
    return None


def _in_cluster(configuration: Any) -> tuple[str, str | None, dict[str, Any]]:
    from kubernetes.config import ConfigException, load_incluster_config

    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise ClusterError(f"in-cluster: {error}", hint="is a service account's token mounted?") from error
    try:
        namespace = (_ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or None
    except OSError:
        namespace = None
    return IN_CLUSTER, namespace, {}


def _impersonation(options: ClusterOptions, user: dict[str, Any]) -> list[tuple[str, str]]:
    """Headers; options replace what the kubeconfig's user says."""
    if options.as_user:
        name: Any = options.as_user
        uid: Any = options.as_uid
        groups: Any = options.as_groups
        extra: Any = {}
    else:
        name, uid, groups = user.get("as"), user.get("as-uid"), user.get("as-groups") or ()
        extra = user.get("as-user-extra") or {}
    if not name:
        return []
    headers = [("Impersonate-User", str(name))]
    headers += [("Impersonate-Group", str(group)) for group in groups]
    if uid:
        headers.append(("Impersonate-Uid", str(uid)))
    headers += [(f"Impersonate-Extra-{key}", str(value)) for key, values in extra.items() for value in values]
    return headers
