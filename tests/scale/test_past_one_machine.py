"""Past one machine: a Dask cluster and a bucket give the same bytes as this process and a folder."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import structs

from flowdiag.ingest import Gathered, ReadOptions, run
from tests.cli.foreign import install
from tests.scale.conftest import until

COMMAND = str(Path(sys.executable).with_name("flowdiag"))
PATIENCE = 600


def analysed(environment, *arguments) -> bytes:
    done = subprocess.run(
        [COMMAND, "analyze", *map(str, arguments), "-o", "json"],
        env=environment,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def outcome(path, *, part_bytes=150_000, **options) -> tuple:
    """All that reading leaves; how a tally is laid out as bytes hangs on the order of merging, its results do not."""
    with Gathered([str(path)]) as gathered:
        found = run(gathered, ReadOptions(**options), part_bytes=part_bytes)
    tally = found.tally
    inputs = {name: structs.astuple(counts) for name, counts in tally.inputs.items()}
    return tally.flows(), tally.dns, tally.warnings, tally.logs, inputs, found.problems


@pytest.fixture
def keys(monkeypatch, store):
    """This process knows where the store is, as its children do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, store.environment[name])


def test_a_bucket_over_dask_gives_the_bytes_of_a_folder_here(export, store, cluster):
    """Workers read a day's rotated objects where they lie; the state lies in the bucket too."""
    here = analysed(store.environment, export / "day", "--state", export / "state")
    there = analysed(
        store.environment, "s3://flows/day", "--state", "s3://flows/state", "--scheduler", cluster.url
    )
    renamed = here.replace(f"{export}/".encode(), b"s3://flows/")
    assert json.loads(here)["totals"]["denied"] > 0
    assert json.loads(there) == json.loads(renamed)
    assert there == renamed


def test_a_worker_killed_in_the_middle_changes_nothing(export, store, mortal):
    """What it held and what it was at is done again by the one that is left."""
    here = analysed(store.environment, export / "day", "--state", export / "state")
    killed = []

    def kill() -> None:
        with mortal.client() as client:
            client.wait_for_workers(2, timeout=300)
            started.set()
            while sum(map(len, client.has_what().values())) < 3:
                pass
            victim = mortal.processes[1]
            os.kill(victim.pid, signal.SIGKILL)
            killed.append(victim.wait())

    started = threading.Event()
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    assert started.wait(300)
    words = (export / "day", "--state", export / "state", "--scheduler", mortal.url)
    # A machine under load may come to look when nothing is held any more: then all of it is read again.
    for _ in range(20):
        assert analysed(store.environment, *words) == here
        if killed or not killer.is_alive():
            break
    killer.join(300)
    assert killed == [-signal.SIGKILL]


@pytest.mark.usefixtures("keys")
def test_ranges_of_one_object_are_read_by_the_workers(export, store, cluster):
    """A large object is cut at about every so many bytes; ends and line numbers are those of one reading."""
    whole = outcome("s3://flows/one/flows.jsonl", processes=1)
    asked = store.log.read_bytes().count(b" 206 ")
    cut = outcome("s3://flows/one/flows.jsonl", scheduler=cluster.url)
    assert cut == whole
    # Every part asks by range for its ends and its bytes.
    assert store.log.read_bytes().count(b" 206 ") - asked > 2_000_000 // 150_000
    assert outcome("s3://flows/one/flows.jsonl", processes=2) == whole
    local = outcome(export / "flows.jsonl", processes=1)
    assert outcome(export / "flows.jsonl", scheduler=cluster.url) == local


def test_compressed_objects_and_archives_are_read_whole(export, store, cluster, tmp_path):
    """A .gz is one stream, for one worker; an archive is unpacked here; bad lines keep their numbers."""
    import tarfile

    day = sorted((export / "day").iterdir())
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log.gz").write_bytes(gzip.compress(day[0].read_bytes() + b"{broken\n"))
    with tarfile.open(tmp_path / "in" / "b.tar.gz", "w:gz") as archive:
        archive.add(day[1], "hubble/b.log")
    files = store.files()
    files.put(str(tmp_path / "in"), "flows/packed", recursive=True)
    here = analysed(store.environment, tmp_path / "in")
    there = analysed(store.environment, "s3://flows/packed", "--scheduler", cluster.url)
    assert there == here.replace(f"{tmp_path}/in".encode(), b"s3://flows/packed")
    lines = len(day[0].read_bytes().splitlines())
    assert [w["line"] for w in json.loads(there)["warnings"] if w["line"]] == [lines + 1]


# -- what goes wrong ------------------------------------------------------------------------------------


def refused(environment, *arguments) -> tuple[int, str]:
    done = subprocess.run(
        [COMMAND, "analyze", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_no_such_bucket_says_what_and_where(store):
    code, said = refused(store.environment, "s3://absent-bucket/day")
    assert code == 3
    assert re.search(r"s3://absent-bucket/day: no such bucket or object; check its name", said)


def test_no_credentials_says_where_they_are_looked_for(store, tmp_path):
    kept = {name: value for name, value in store.environment.items() if "KEY" not in name}
    environment = kept | {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(tmp_path / "none")}
    code, said = refused(environment, "s3://flows/day")
    assert code == 3
    assert "s3://flows/day: no credentials were found; set AWS_PROFILE" in said


@pytest.mark.parametrize(
    ("module", "arguments", "code", "words"),
    [
        ("s3fs", ["s3://flows/day"], 3, 'needs s3fs, which is not installed: pip install "flowdiag[remote]"'),
        (
            "gcsfs",
            ["gs://flows/day"],
            3,
            'needs gcsfs, which is not installed: pip install "flowdiag[remote]"',
        ),
        (
            "adlfs",
            ["az://flows/day"],
            3,
            'needs adlfs, which is not installed: pip install "flowdiag[remote]"',
        ),
        (
            "distributed",
            ["{file}", "--scheduler", "tcp://127.0.0.1:1"],
            2,
            'pip install "flowdiag[distributed]"',
        ),
    ],
)
def test_a_missing_extra_is_named(module, arguments, code, words, tmp_path, export):
    """As on a machine where it is not installed."""
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{module}'\")\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    file = str(next((export / "day").iterdir()))
    found, said = refused(environment, *[one.replace("{file}", file) for one in arguments])
    assert (found, words in said) == (code, True), said


def test_an_unknown_scheme_is_named():
    code, said = refused(os.environ, "nowhere://flows/day")
    assert code == 3
    assert "nothing here reads nowhere://" in said


def test_no_scheduler_there(export):
    """Exit code 4, as for any cluster that is not reachable."""
    pytest.importorskip("distributed")
    file = next((export / "day").iterdir())
    environment = os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    code, said = refused(environment, file, "--scheduler", "tcp://127.0.0.1:1")
    assert code == 4
    assert "no Dask scheduler answers" in said
    code, said = refused(environment, file, "--scheduler", "127.0.0.1:1")
    assert code == 2
    assert "tcp://HOST:8786" in said


def test_a_file_that_the_workers_do_not_see_is_said(export, store, cluster):
    """Standard input is in a spool here, and read here."""
    day = sorted((export / "day").iterdir())
    done = subprocess.run(
        [COMMAND, "analyze", "-", "--scheduler", cluster.url, "-o", "json"],
        input=day[0].read_bytes(),
        env=store.environment,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert json.loads(done.stdout)["totals"]["records"] == len(day[0].read_bytes().splitlines())


def test_many_small_objects_are_read_together(export, store, cluster, tmp_path):
    """Some hundred objects make a few tasks; the report is the same, a damaged one among them costs itself alone."""
    lines = b"".join(path.read_bytes() for path in sorted((export / "day").iterdir())).splitlines(True)
    (tmp_path / "in").mkdir()
    for number, start in enumerate(range(200, len(lines), 8)):
        (tmp_path / "in" / f"{number:04d}.log").write_bytes(b"".join(lines[start : start + 8]))
    damaged = gzip.compress(b"".join(lines[:200]))[:-40]
    (tmp_path / "in" / "0005-cut.log.gz").write_bytes(damaged)
    here = analysed(store.environment, tmp_path / "in")
    with cluster.client() as client, _by_value():
        client.run(_counting)
        there = analysed(store.environment, tmp_path / "in", "--scheduler", cluster.url)
        calls = [call for calls in client.run(_counted).values() for call in calls]
    assert there == here
    found = json.loads(here)
    assert {one["input"].rsplit("/", 1)[-1] for one in found["warnings"]} == {"0005-cut.log.gz"}
    assert sum(calls) == len(found["inputs"]) > 100
    assert len(calls) < 40


@contextmanager
def _by_value():
    """Functions of this module go to workers as they are: there is no such module there."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def _counting() -> None:
    """In a worker: note how many inputs each task has."""
    from flowdiag.ingest import outcomes

    outcomes.own, outcomes.calls = outcomes.fold_parts, []

    def counted(parts):
        outcomes.calls.append(len(parts))
        return outcomes.own(parts)

    outcomes.fold_parts = counted


def _counted() -> list[int]:
    """In a worker: what was noted, and no more of it."""
    from flowdiag.ingest import outcomes

    outcomes.fold_parts = outcomes.own
    return outcomes.calls


def test_a_scheduler_that_goes_away_ends_the_run(export, store, mortal):
    """In words and with exit code 4, as for any cluster that cannot be reached; nothing is waited for for ever."""
    _, said = _ends_when(export, store, mortal, lambda: os.kill(mortal.processes[0].pid, signal.SIGKILL))

    assert f"flowdiag: {mortal.url}: the scheduler went away while its workers read" in said


def test_workers_that_all_go_away_end_the_run(export, store, mortal):
    """The same where nobody comes in their place."""

    def kill() -> None:
        for one in mortal.processes[1:]:
            os.kill(one.pid, signal.SIGKILL)

    _, said = _ends_when(export, store, mortal, kill)

    assert f"flowdiag: {mortal.url}: all workers went away, and none came within 3 s" in said


def _ends_when(export, store, mortal, kill) -> tuple[int, str]:
    """A run whose workers each wait in their first part, until something is killed."""
    with mortal.client() as client, _by_value():
        client.wait_for_workers(2, timeout=300)
        client.run(_hold)
        words = [str(export / "day"), "--scheduler", mortal.url, "-o", "json"]
        patient = (
            "import sys; import flowdiag.ingest.scheduler as s; s._ALONE_S = 3; "
            "from flowdiag.cli.main import main; main(sys.argv[1:])"
        )
        running = subprocess.Popen(
            [sys.executable, "-c", patient, "analyze", *words],
            env=store.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        until(lambda: sum(map(len, client.processing().values())), "nothing is read")
        kill()
    out, said = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (4, b""), said
    assert b"Traceback" not in said
    return running.returncode, said.decode()


def _hold() -> None:
    """In a worker: parts take for ever from now on."""
    import time

    from flowdiag.ingest import outcomes

    outcomes.fold_into = lambda *_, **__: time.sleep(600)


def test_workers_without_a_parser_are_told_of(store, cluster, tmp_path):
    """A plugin that is installed here alone is named before anything is read, with what to do."""
    module = (
        "from flowdiag.parserkit import LogEvent\n"
        "class Here:\n"
        "    name = 'acme-here'; summary = 'Acme'; cni = None; sequential = document = False\n"
        "    def sniff(self, head): return 0.95 if head.startswith(b'acme') else 0.0\n"
        "    def parse(self, block, context): yield LogEvent(line=block.of_line(0).line, message='acme')\n"
    )
    site = install(
        tmp_path / "site", "[flowdiag.parsers]\nacme-here = acme_here:Here\n", {"acme_here": module}
    )
    (tmp_path / "a.log").write_text("acme\n")
    environment = store.environment | {"PYTHONPATH": str(site)}

    code, said = refused(environment, tmp_path / "a.log", "--scheduler", cluster.url)

    assert code == 4
    assert "has no parser acme-here, here it is flowdiag-acme 0.2.0's" in said
    assert "install the same plugins where the workers run" in said


@pytest.mark.usefixtures("keys")
def test_an_object_that_is_written_anew_meanwhile(export, store):
    """Of one stream what came before is read and the rest is said to be gone; ranges of another object are not read at all."""
    files = store.files()
    data = (export / "flows.jsonl").read_bytes()
    url = "s3://flows/changing/flows.jsonl"

    def put(content: bytes) -> None:
        with files.open(url, "wb") as out:
            out.write(content)

    def reading(change) -> list[str]:
        put(data * 10)
        changed = []

        def progress(done: int, total: int, name: str) -> None:
            del total, name
            if done > 1_000_000 and not changed:
                changed.append(change())

        with Gathered([url]) as gathered:
            found = run(gathered, ReadOptions(processes=1), progress)
        assert changed
        return [one.message for one in found.problems]

    assert reading(lambda: None) == []
    (said,) = reading(lambda: put(data[: len(data) // 2] * 17))
    assert "the object was written anew meanwhile" in said
    put(data * 10)
    with Gathered([url]) as gathered:
        put(data * 9)
        problems = run(gathered, ReadOptions(processes=2), part_bytes=len(data)).problems
    assert problems
    assert {one.code for one in problems} == {"unreadable"}
    assert all(f"it had {len(data) * 10:,} bytes when it was listed" in one.message for one in problems)


def test_a_store_that_is_asked_too_much():
    """What it says is told as what it is, not as a matter of credentials."""
    from flowdiag.ingest import remote

    said = remote._said(OSError(16, "Please reduce your request rate."), "s3://flows/day").strerror

    assert said == (
        "the store asks for fewer requests ([Errno 16] Please reduce your request rate.); "
        "try again later, or with fewer workers"
    )
