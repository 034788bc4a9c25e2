"""An HTTP(S) server on loopback that behaves as a Kubernetes API server does, for reading.

Discovery, lists with pages and continue tokens, single objects, Tables for kubectl, Status objects for
errors, RBAC, logs, exec over WebSocket (v4 and v5.channel.k8s.io), proxies of services and nodes, ephemeral
containers.  Faults are put in front of requests.  `tests/apiserver/test_honest.py` has the real kubectl read
it.  Behaviour follows kubernetes.io/docs/reference/using-api/api-concepts.
"""

import asyncio
import base64
import copy
import json
import re
import ssl
import threading
from collections import defaultdict
from dataclasses import dataclass, field

import trustme
from aiohttp import web

from tests.apiserver.kinds import CORE
from tests.apiserver.rbac import Asked, asked

USERS = {
    "admin-token": ("admin", ("system:authenticated",)),
    "limited-token": ("limited", ("system:authenticated",)),
}


@dataclass
class Fault:
    """Something that goes wrong with the requests whose path (and query) matches, so many times."""

    pattern: str
    kind: str
    """status, cut, hang, drip."""
    times: int = 1
    status: int = 500
    headers: dict = field(default_factory=dict)
    body: bytes | None = None
    seconds: float = 0.0
    over: bool = False
    """Set by a test: what hangs is answered now."""


@dataclass
class Seen:
    """One request that came in."""

    ask: Asked
    query: dict
    headers: dict
    status: int = 0


class ApiServer:
    """The server; a context manager.

    Args:
        objects: manifests (dicts with kind and apiVersion).
        kinds: what is served.
        rules: `Rules` for everybody, or by user's name; without, everything is allowed.
        tls: HTTPS with a certificate of its own authority.
    """

    def __init__(self, objects=(), *, kinds=CORE, rules=None, tls=False):
        self.kinds = {(one.group, one.version, one.plural): one for one in kinds}
        self._by_kind = {(one.api_version, one.kind): one for one in kinds}
        self.objects = defaultdict(list)
        for one in objects:
            self.add(one)
        self.rules = rules
        self.faults = []
        self.seen = []
        self.logs = {}
        """(namespace, pod, container, previous) to lines [(RFC 3339, text)]."""
        self.commands = {}
        """(namespace, pod, container) to a function of argv and stdin: (stdout, stderr, exit code)."""
        self.subprotocols = ("v5.channel.k8s.io", "v4.channel.k8s.io")
        self.services = {}
        """(namespace, service:port, path) to (content type, body)."""
        self.node_files = {}
        """(node, path) to bytes; a path that ends in / is a listing."""
        self.expired_after = None
        """Continue tokens given out in the first so many lists expire at once."""
        self.ephemeral = []
        self.on_ephemeral = None
        self._version = 1000
        self._tls = tls
        self.ca = trustme.CA() if tls else None

    def add(self, one):
        """Put an object into the store."""
        served = self._by_kind[one["apiVersion"], one["kind"]]
        self.objects[served].append(one)

    # --- life -----------------------------------------------------------------------------------------

    def __enter__(self):
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        started.wait(300)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def _serve(self, started):
        async def run():
            app = web.Application(client_max_size=1 << 20)
            app.router.add_route("*", "/{tail:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            context = None
            if self._tls:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                self.ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            self.port = runner.addresses[0][1]
            self._loop = asyncio.get_running_loop()
            self._stopped = asyncio.Event()
            started.set()
            await self._stopped.wait()
            await runner.cleanup()

        asyncio.run(run())

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, path, *, token="admin-token", namespace=None, context="test", user=None):  # noqa: S107
        """Write a kubeconfig that names this server."""
        cluster = {"server": self.url}
        if self._tls:
            cluster["certificate-authority-data"] = base64.b64encode(self.ca.cert_pem.bytes()).decode()
        inside = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": context,
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {"token": token} if user is None else user}],
                    "contexts": [{"name": context, "context": inside}],
                }
            )
        )
        return path

    # --- requests -------------------------------------------------------------------------------------

    async def _handle(self, request):
        ask = asked(request.method, request.path)
        user, groups = self._who(request)
        ask = ask._replace(user=user or "", groups=groups)
        seen = Seen(ask, dict(request.query), dict(request.headers))
        self.seen.append(seen)
        response = await self._answer(request, ask, user)
        seen.status = response.status
        return response

    async def _answer(self, request, ask, user):
        if user is None:
            return status(401, "Unauthorized", "Unauthorized")
        fault = self._fault(request)
        if fault is not None:
            return await self._faulty(request, fault)
        if self.rules is not None:
            rules = self.rules.get(user) if isinstance(self.rules, dict) else self.rules
            if rules is not None and not all(rules.allows(one) for one in needed(ask)):
                where = f' in the namespace "{ask.namespace}"' if ask.namespace else " at the cluster scope"
                return status(
                    403,
                    "Forbidden",
                    f'{ask.resource}{"." if ask.group else ""}{ask.group} is forbidden: User "{user}" cannot {ask.verb}'
                    f' resource "{ask.words}" in API group "{ask.group}"{where}',
                )
        if not ask.resource:
            return self._discovery(request)
        return await self._resource(request, ask)

    def _who(self, request):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in USERS:
            return None, ()
        if "Impersonate-User" in request.headers:
            return request.headers["Impersonate-User"], tuple(request.headers.getall("Impersonate-Group", ()))
        return USERS[token]

    def _fault(self, request):
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.pattern, request.path_qs):
                fault.times -= 1
                return fault
        return None

    async def _faulty(self, request, fault):
        if fault.kind == "status":
            if fault.body is not None:
                return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
            return status(fault.status, "Faulty", "told to fail", headers=fault.headers)
        if fault.kind == "hang":
            loop = asyncio.get_running_loop()
            ends = loop.time() + fault.seconds
            while loop.time() < ends and not fault.over:  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.05)
            return status(504, "Timeout", "too late")
        body = json.dumps({"kind": "List", "apiVersion": "v1", "items": [{"x": "y" * 2000}]}).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if fault.kind == "cut":
            response.content_length = len(body)
        else:
            response.enable_chunked_encoding()
        await response.prepare(request)
        if fault.kind == "cut":
            await response.write(body[:700])
            request.transport.abort()
            return response
        try:
            while True:
                await response.write(b" ")
                await asyncio.sleep(fault.seconds)
        except (ConnectionError, asyncio.CancelledError):
            return response

    # --- discovery ------------------------------------------------------------------------------------

    def _discovery(self, request):
        path = request.path.rstrip("/")
        if path == "/version":
            return web.json_response(
                {"major": "1", "minor": "33", "gitVersion": "v1.33.0", "platform": "linux/amd64"}
            )
        if path == "/api":
            return web.json_response(
                {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
            )
        groups = defaultdict(list)
        for group, version, _ in self.kinds:
            if group and version not in groups[group]:
                groups[group].append(version)
        if path == "/apis":
            return web.json_response(
                {
                    "kind": "APIGroupList",
                    "apiVersion": "v1",
                    "groups": [_group(*one) for one in groups.items()],
                }
            )
        match = re.fullmatch(r"/(?:api/(v1)|apis/([^/]+)(?:/([^/]+))?)", path)
        if match is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        group, version = match[2] or "", match[1] or match[3]
        if group and version is None and group in groups:
            return web.json_response({"kind": "APIGroup", "apiVersion": "v1", **_group(group, groups[group])})
        found = [one for one in self.kinds.values() if (one.group, one.version) == (group, version)]
        if not found:
            return status(404, "NotFound", "the server could not find the requested resource")
        return web.json_response(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": found[0].api_version,
                "resources": [resource for one in found for resource in _resources(one)],
            }
        )

    # --- objects --------------------------------------------------------------------------------------

    async def _resource(self, request, ask):
        version = re.match(r"/(?:api/(v1)|apis/[^/]+/([^/]+))", request.path)
        served = self.kinds.get((ask.group, version[1] or version[2], ask.resource))
        if served is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        if ask.subresource:
            return await self._subresource(request, ask)
        if ask.verb == "list":
            return self._list(request, served, ask)
        found = self._find(served, ask)
        if found is None:
            return status(
                404, "NotFound", f'{ask.resource}{"." if ask.group else ""}{ask.group} "{ask.name}" not found'
            )
        if request.method != "GET":
            return status(405, "MethodNotAllowed", "this server is for reading")
        whole = {"apiVersion": served.api_version, "kind": served.kind, **found}
        if _wants_table(request):
            return web.json_response(_table([whole], {"resourceVersion": str(self._version)}))
        return web.json_response(whole)

    def _find(self, served, ask):
        for one in self.objects[served]:
            meta = one["metadata"]
            if meta["name"] == ask.name and (not served.namespaced or meta.get("namespace") == ask.namespace):
                return one
        return None

    def _list(self, request, served, ask):
        items = [
            one
            for one in self.objects[served]
            if not (served.namespaced and ask.namespace) or one["metadata"].get("namespace") == ask.namespace
        ]
        limit, token = int(request.query.get("limit") or 0), request.query.get("continue")
        start = 0
        if token:
            inside = json.loads(base64.urlsafe_b64decode(token))
            if inside["expired"]:
                return status(
                    410,
                    "Expired",
                    "The provided continue parameter is too old to display a consistent list result.",
                )
            start = inside["start"]
        page = items[start : start + limit] if limit else items[start:]
        meta = {"resourceVersion": str(self._version)}
        if limit and start + limit < len(items):
            expired = bool(self.expired_after)
            if expired:
                self.expired_after -= 1
            inside = {"start": start + limit, "expired": expired}
            meta["continue"] = base64.urlsafe_b64encode(json.dumps(inside).encode()).decode()
            meta["remainingItemCount"] = len(items) - start - limit
        # As the real one: items of a typed list carry neither kind nor apiVersion.
        if _wants_table(request):
            return web.json_response(_table(page, meta))
        bare = [
            {key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in page
        ]
        response = web.json_response(
            {"kind": f"{served.kind}List", "apiVersion": served.api_version, "metadata": meta, "items": bare}
        )
        if len(bare) > _LARGE:
            response.enable_compression()  # as the real one does, for who accepts gzip
        return response

    # --- subresources ---------------------------------------------------------------------------------

    async def _subresource(self, request, ask):
        if ask.words == "pods/log":
            return self._log(request, ask)
        if ask.words == "pods/exec":
            return await self._exec(request, ask)
        if ask.words == "pods/ephemeralcontainers" and request.method == "PATCH":
            return await self._debug(request, ask)
        rest = request.path.split("/proxy", 1)[1] if "/proxy" in request.path else None
        if ask.words == "services/proxy" and rest is not None:
            found = self.services.get((ask.namespace, ask.name, rest))
        elif ask.words == "nodes/proxy" and rest is not None:
            body = self.node_files.get((ask.name, rest))
            found = None if body is None else ("text/plain", body)
        else:
            found = None
        if found is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        kind, body = found
        return web.Response(body=body, content_type=kind)

    def _pod(self, ask):
        served = self.kinds["", "v1", "pods"]
        return self._find(served, ask)

    def _log(self, request, ask):
        pod = self._pod(ask)
        if pod is None:
            return status(404, "NotFound", f'pods "{ask.name}" not found')
        query = request.query
        previous = query.get("previous") == "true"
        names = [one["name"] for one in pod["spec"]["containers"]]
        container = query.get("container") or names[0]
        lines = self.logs.get((ask.namespace, ask.name, container, previous))
        if lines is None and previous:
            return status(
                400,
                "BadRequest",
                f'previous terminated container "{container}" in pod "{ask.name}" not found',
            )
        since = query.get("sinceTime", "")
        kept = [(at, text) for at, text in lines or () if at >= since]
        stamps = query.get("timestamps") == "true"
        body = "".join(f"{at} {text}\n" if stamps else f"{text}\n" for at, text in kept).encode()
        if "limitBytes" in query:
            body = body[: int(query["limitBytes"])]
        return web.Response(body=body, content_type="text/plain")

    async def _exec(self, request, ask):
        pod = self._pod(ask)
        if pod is None:
            return status(404, "NotFound", f'pods "{ask.name}" not found')
        container = request.query.get("container") or pod["spec"]["containers"][0]["name"]
        run = self.commands.get((ask.namespace, ask.name, container))
        socket = web.WebSocketResponse(protocols=self.subprotocols)
        await socket.prepare(request)
        if run is None:
            out, err, code = b"", b"", 126
            said = {"message": f"container {container} not found", "reason": "NotFound"}
        else:
            argv = request.query.getall("command")
            out, err, code = await asyncio.to_thread(run, argv)
            said = {}
        for channel, data in ((1, out), (2, err)):
            for start in range(0, len(data), 4096):
                await socket.send_bytes(bytes([channel]) + data[start : start + 4096])
        result = {"metadata": {}, "status": "Success"} if code == 0 else {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: exit status {code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        } | ({"details": {}, **said} if said else {})  # fmt: skip
        await socket.send_bytes(b"\x03" + json.dumps(result).encode())
        await socket.close()
        return socket

    async def _debug(self, request, ask):
        pod = self._pod(ask)
        if pod is None:
            return status(404, "NotFound", f'pods "{ask.name}" not found')
        patch = json.loads(await request.read())
        for one in patch["spec"]["ephemeralContainers"]:
            pod["spec"].setdefault("ephemeralContainers", []).append(one)
            self.ephemeral.append((ask.namespace, ask.name, one))
            if self.on_ephemeral is not None:
                self.on_ephemeral(pod, one)
        return web.json_response({"apiVersion": "v1", "kind": "Pod", **pod})


def needed(ask):
    """What a request asks of the authorizer, and what else is asked on its behalf."""
    yield ask
    if ask.words == "pods/exec":
        # Since v1.35 a WebSocket must be allowed to create as well (kubernetes/kubernetes#134577).
        yield ask._replace(verb="create")
    if ask.group == "projectcalico.org" and ask.resource in _TIERED:
        yield ask._replace(verb="get", resource="tiers", name="default", namespace="")
        yield ask._replace(resource=f"tier.{ask.resource}")


_TIERED = ("networkpolicies", "globalnetworkpolicies", "stagednetworkpolicies", "stagedglobalnetworkpolicies")


_LARGE = 100


def status(code, reason, message, headers=None):
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return web.json_response(body, status=code, headers=headers)


def _group(name, versions):
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resources(one):
    yield {
        "name": one.plural,
        "singularName": one.kind.lower(),
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": ["get", "list"],
        "shortNames": list(one.short),
    }
    if one.plural == "pods":
        yield {"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]}
        yield {
            "name": "pods/exec",
            "singularName": "",
            "namespaced": True,
            "kind": "PodExecOptions",
            "verbs": ["create", "get"],
        }


def _wants_table(request):
    return "as=Table" in request.headers.get("Accept", "")


def _table(objects, meta):
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [
            {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}
        ],
        "rows": [
            {
                "cells": [one["metadata"]["name"]],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": copy.deepcopy(one["metadata"]),
                },
            }
            for one in objects
        ],
    }
