"""A Dask cluster and an S3 server as people start them: by their commands, as processes, on loopback."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
PATIENCE = 300


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what: str):
    """Wait for another process."""
    ends = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < ends, what
        time.sleep(0.05)


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def export(tmp_path_factory) -> Path:
    """A generated export with its state, and the same cut into rotated files."""
    folder = tmp_path_factory.mktemp("export")
    script = ROOT / "benchmarks" / "generate.py"
    command = [sys.executable, str(script), str(folder), "--megabytes", "2", "--pods", "40"]
    subprocess.run(command, check=True, capture_output=True)
    lines = (folder / "flows.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "day").mkdir()
    step = len(lines) // 12 + 1
    for number, start in enumerate(range(0, len(lines), step)):
        name = f"events-2026-04-01T{number:02d}-00-00.000.log"
        (folder / "day" / name).write_bytes(b"".join(lines[start : start + step]))
    return folder


class Store:
    """An S3 server.  `log` is what it says of each request."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self.log = log
        self.environment = os.environ | KEYS | {"AWS_ENDPOINT_URL": url, "SOURCE_DATE_EPOCH": "0"}

    def files(self):
        import s3fs

        login = {"key": "testing", "secret": "testing"}
        return s3fs.S3FileSystem(**login, endpoint_url=self.url, skip_instance_cache=True)


@pytest.fixture(scope="session")
def store(tmp_path_factory, export):
    """An S3 server (moto's) with the export in it."""
    if find_spec("moto") is None or find_spec("s3fs") is None:
        pytest.skip("moto and s3fs are not installed")
    log = tmp_path_factory.mktemp("store") / "log"
    port = free_port()
    with log.open("wb") as out:
        command = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | KEYS)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    try:
        until(answers, "the S3 server does not answer")
        found = Store(url, log)
        files = found.files()
        files.mkdir("flows")
        files.put(str(export / "day"), "flows/day", recursive=True)
        files.put(str(export / "flows.jsonl"), "flows/one/flows.jsonl")
        files.put(str(export / "state"), "flows/state", recursive=True)
        yield found
    finally:
        stop(server)


class Cluster:
    """A scheduler and its workers."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.port = free_port()
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen] = []
        self._start(
            "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-show"
        )

    def _start(self, *arguments: str) -> subprocess.Popen:
        with (self._folder / f"log-{len(self.processes)}").open("wb") as out:
            process = subprocess.Popen(
                [str(BIN / "dask"), *arguments],
                stdout=out,
                stderr=out,
                env=self._environment,
                cwd=self._folder,
            )
        self.processes.append(process)
        return process

    def worker(self) -> subprocess.Popen:
        """One more worker of one thread."""
        options = (
            "--host",
            "127.0.0.1",
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--memory-limit",
            "0",
        )
        return self._start("worker", self.url, *options)

    def client(self):
        from distributed import Client

        return Client(self.url, timeout=PATIENCE, set_as_default=False)

    def close(self) -> None:
        for process in reversed(self.processes):
            stop(process)


def started(folder: Path, environment: dict[str, str]) -> Cluster:
    """A scheduler and two workers."""
    found = Cluster(folder, environment)
    found.worker()
    found.worker()
    return found


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, store):
    """A scheduler and two workers that know where the store is."""
    if find_spec("distributed") is None:
        pytest.skip("dask and distributed are not installed")
    found = started(tmp_path_factory.mktemp("cluster"), store.environment)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def mortal(tmp_path, store):
    """A cluster of its own, for a test that kills its workers."""
    if find_spec("distributed") is None:
        pytest.skip("dask and distributed are not installed")
    found = started(tmp_path, store.environment)
    try:
        yield found
    finally:
        found.close()
