"""A test server and the command line against it."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from flowdiag.cli.main import _run
from tests.apiserver.kinds import CORE
from tests.apiserver.server import ApiServer

COMMAND = (sys.executable, "-c", "from flowdiag.cli.main import main; main()")
_ASIDE = (
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
)


def environment(**more):
    """No cluster of the machine's own, no proxy."""
    kept = {key: value for key, value in os.environ.items() if key.upper() not in _ASIDE}
    return {**kept, "HOME": "/nonexistent", **{key: str(value) for key, value in more.items()}}


def flowdiag(*words, **env):
    """The command line, in this process: the client is slow to import."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with (
        mock.patch.dict(os.environ, environment(**env), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = _run([str(word) for word in words], "flowdiag")
        out.flush()
        err.flush()
    texts = [one.buffer.getvalue().decode() for one in (out, err)]
    return subprocess.CompletedProcess(words, code, *texts)


def process(*words, **env):
    """The command line as a user runs it."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**env),
        timeout=300,
    )


def answer(done):
    """The JSON on standard output of a run that went well."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def server(objects, *, kinds=CORE, rules=None, tls=False):
    return ApiServer(objects, kinds=kinds, rules=rules, tls=tls)
