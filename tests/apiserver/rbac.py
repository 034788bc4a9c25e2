"""Who may do what: RBAC rules as the API server's authorizer reads them, and the verb of a request.

Verbs follow k8s.io/apiserver ``pkg/endpoints/request/requestinfo.go``; rule matching
``pkg/apis/rbac/v1/evaluation_helpers.go``.
"""

import re
from typing import NamedTuple

_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+)(?P<rest>/.*)?)?)?/?"
)


class Asked(NamedTuple):
    """One request, as an authorizer sees it."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    user: str = ""
    groups: tuple = ()

    @property
    def words(self):
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def asked(method, path):
    match = _PATH.fullmatch(path)
    if match is None:
        return Asked({"GET": "get"}.get(method, method.lower()), path=path)
    namespace, name = match["namespace"] or "", match["name"] or ""
    if match["resource"] == "namespaces" and name:
        namespace = name  # an object that is its own namespace
    verb = {"GET": "get" if name else "list", "POST": "create", "PATCH": "patch", "PUT": "update"}[method]
    return Asked(verb, match["group"] or "", match["resource"], match["sub"] or "", namespace, name, path)


class Rules:
    """ClusterRoles and Roles, bound to whoever asks."""

    def __init__(self, documents):
        self.rules = []
        for one in documents:
            if one and one["kind"] in ("ClusterRole", "Role"):
                namespace = one["metadata"].get("namespace") if one["kind"] == "Role" else None
                self.rules += [(namespace, rule) for rule in one.get("rules") or ()]
        self.used = set()

    def allows(self, ask):
        """Whether a rule allows it; what of the rules was needed is remembered."""
        if not ask.resource:
            return True  # system:discovery, which every user has
        allowed = False
        for index, (namespace, rule) in enumerate(self.rules):
            if namespace is not None and ask.namespace != namespace:
                continue
            if (
                ask.verb in rule["verbs"]
                and ask.group in rule.get("apiGroups", ())
                and ask.words in rule.get("resources", ())
                and (not rule.get("resourceNames") or ask.name in rule["resourceNames"])
            ):
                self.used.add((index, ask.verb, ask.group, ask.words))
                allowed = True
        return allowed

    def granted(self):
        """Every (rule, verb, group, resource) that is granted."""
        return {
            (index, verb, group, resource)
            for index, (_, rule) in enumerate(self.rules)
            for verb in rule["verbs"]
            for group in rule.get("apiGroups", ())
            for resource in rule.get("resources", ())
        }
