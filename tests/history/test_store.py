"""The history file: brought up to date, set aside when it cannot be read, and never destroyed."""

import json
import os
import sqlite3
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

import sample_reports
from msgspec.structs import replace

from flowdiag.history import History, HistoryError, read_run, scope_of_run
from flowdiag.history.database import MIGRATIONS, identity, replace_database
from flowdiag.model.errors import InputError, UsageError
from flowdiag.model.report import Severity, SnapshotInfo, Status, general_warning


def dns_story():
    return replace(sample_reports.dns_story(), complete=True)


def mixed():
    return replace(sample_reports.mixed(), complete=True)


def empty():
    return replace(sample_reports.empty(), complete=True)


HIGH = frozenset({Severity.HIGH})


def record(path, report, **options):
    with History(path) as history:
        return history.record(report, **options)


def statuses(recorded):
    return {problem.fingerprint: problem.status for problem in recorded.report.problems}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.db"


class TestRecording:
    def test_new_known_gone_and_new_again(self, path):
        """A whole life of one problem, over files that are opened anew each time."""
        story, quiet = dns_story(), empty()
        lead = story.problems[0].fingerprint

        assert statuses(record(path, story))[lead] is Status.NEW
        assert statuses(record(path, story))[lead] is Status.KNOWN
        assert statuses(record(path, quiet))[lead] is Status.GONE
        assert lead not in statuses(record(path, quiet))
        assert statuses(record(path, story))[lead] is Status.NEW

    def test_the_runs_are_numbered_and_name_what_they_were_compared_with(self, path):
        """The first has nothing before it; the second has the first, with its time."""
        story = dns_story()

        first, second = record(path, story), record(path, story)

        assert (first.run, first.before) == (1, None)
        assert (second.run, second.before) == (2, (1, story.created))

    def test_scopes_are_histories_of_their_own(self, path):
        """An audit of one namespace calls nothing gone that another one found."""
        record(path, dns_story(), scope="namespace=a")

        found = record(path, empty(), scope="namespace=b")

        assert found.before is None
        assert found.report.problems == ()

    def test_accepted_problems_stay_open(self, path):
        """Accepted from the first run on, a problem is known when its acceptance ends, and gone when it is."""
        story = dns_story()
        lead = story.problems[0].fingerprint

        assert statuses(record(path, story, accepted=[0]))[lead] is Status.ACCEPTED
        assert statuses(record(path, story))[lead] is Status.KNOWN
        record(path, story, accepted=[0])
        assert statuses(record(path, empty()))[lead] is Status.GONE

    def test_two_problems_of_one_fingerprint_are_two(self, path):
        """When one of them ends, one is known and one is gone."""
        story = dns_story()
        lead = replace(story.problems[0], explained_by=None)
        twice = replace(story, problems=(lead, replace(lead, id=f"{lead.id}-2")))
        record(path, twice)

        found = record(path, replace(story, problems=(lead,)))

        assert [p.status for p in found.report.problems] == [Status.KNOWN, Status.GONE]
        assert len({p.id for p in found.report.problems}) == 2

    def test_a_baseline_stands_for_the_run_before_the_first(self, path):
        """Its problems are known at once, and gone if they are not there; later it only says what is known."""
        story = dns_story()
        other = replace(mixed(), evidence=story.evidence)

        first = record(path, story, baseline=story.problems)
        assert set(statuses(first).values()) == {Status.KNOWN}
        second = record(path, empty(), baseline=story.problems)
        assert set(statuses(second).values()) == {Status.GONE}
        third = record(path, empty(), baseline=story.problems)
        assert third.report.problems == ()
        fourth = record(path, story, baseline=story.problems)
        assert set(statuses(fourth).values()) == {Status.KNOWN}
        missing = record(path.with_name("other.db"), other, baseline=story.problems)
        assert Status.GONE in statuses(missing).values()

    def test_a_run_without_records_proves_nothing_gone(self, path):
        """A folder that was not mounted, an exporter that stopped: nothing was refused, nor anything else seen."""
        record(path, dns_story())

        blind = record(path, empty(), records=False)

        assert blind.counts[Status.GONE] == 0
        assert blind.unproved == "no record of its time was read"
        assert record(path, empty()).counts[Status.GONE] > 0

    def test_what_was_seen_by_a_right_that_is_lost_waits_while_its_report_is_kept(self, path, monkeypatch):
        """Nothing that another run sees without the right is held up by it."""
        monkeypatch.setattr("flowdiag.history.recording.KEPT_REPORTS", 3)
        forbidden = general_warning("collect-refused", "flows: forbidden")
        without = [replace(one, warnings=(forbidden,)) for one in (mixed(), empty(), empty(), empty())]
        record(path, dns_story())

        found = [record(path, one, unread=["flows: forbidden"]) for one in without]

        assert [one.counts[Status.GONE] > 0 for one in found] == [False, True, False, True]
        assert found[1].waiting == len(dns_story().problems)
        assert found[1].unproved == "what cannot be read now was read when they were seen"
        assert (found[3].waiting, found[3].unproved) == (0, None)

    @pytest.mark.parametrize(("allowed", "gone"), [(900, 0), (0, 4), (None, 4)])
    def test_flows_that_fail_to_come_mend_nothing(self, path, allowed, gone):
        """An export that is away while the agents' logs are there; a log of refusals alone may have none to tell."""
        seen, quiet = dns_story(), empty()
        record(path, replace(seen, totals=replace(seen.totals, allowed=allowed)))

        found = record(path, replace(quiet, totals=replace(quiet.totals, flows=0, allowed=0)))

        assert found.counts[Status.GONE] == gone
        assert (found.unproved is None) is bool(gone)

    def test_another_clusters_problems_are_not_gone(self, path):
        """Two clusters in one history are told apart as far as their records name them, and it is said."""
        one, other = (replace(dns_story().cluster, name=name) for name in ("blue", "green"))
        record(path, replace(dns_story(), cluster=one))

        found = record(path, replace(empty(), cluster=other))
        again = record(path, replace(empty(), cluster=other))

        assert found.counts[Status.GONE] == again.counts[Status.GONE] == 0
        assert found.unproved == "they were seen in records of another cluster"
        assert [w.message[:49] for w in found.report.warnings] == [
            "run 1, which this one is compared with, read reco"
        ]
        assert not again.report.warnings
        assert record(path, replace(empty(), cluster=one)).counts[Status.GONE] == 4

    @pytest.mark.parametrize("baseline", [False, True])
    def test_a_run_without_the_clusters_objects_takes_nothing_back(self, path, baseline):
        """A refusal is another problem where no policy is known; a policy that selects nothing is not seen at all."""
        story, quiet = dns_story(), empty()
        bare = replace(quiet, evidence=replace(quiet.evidence, snapshot=SnapshotInfo(None, None)))
        if not baseline:
            record(path, story)

        found = record(path, bare, baseline=story.problems if baseline else ())

        assert found.counts[Status.GONE] == 0
        assert found.unproved == "no cluster objects were read, and when they were seen some were"
        if not baseline:
            assert record(path, quiet).counts[Status.GONE] == 4

    def test_runs_that_never_have_objects_call_problems_gone(self, path):
        """Whoever has flows alone compares like with like."""
        without = SnapshotInfo(None, None)
        story, quiet = (
            replace(one, evidence=replace(one.evidence, snapshot=without)) for one in (dns_story(), empty())
        )
        record(path, story)

        assert record(path, quiet).counts[Status.GONE] == 4

    def test_nothing_is_to_be_applied_for_what_is_gone(self, path):
        """Its proposal was proved against the policies of another day, and may exist by now."""
        story = dns_story()
        assert any(one.counterfactual for one in story.problems)
        record(path, story)

        gone = record(path, empty()).report.problems

        assert {one.status for one in gone} == {Status.GONE}
        assert not any(one.counterfactual for one in gone)

    def test_the_order_is_the_contracts(self, path):
        """Not folded first, then severity, count and id; the gone ones among them."""
        record(path, dns_story())

        story = dns_story()
        problems = record(path, replace(mixed(), evidence=story.evidence)).report.problems

        ranks = [
            (p.explained_by is not None, list(Severity).index(p.severity), -p.count, p.id) for p in problems
        ]
        assert ranks == sorted(ranks)
        assert {Status.NEW, Status.GONE} == {p.status for p in problems}

    def test_old_reports_are_dropped_and_sums_stay(self, path, monkeypatch):
        """The history does not grow without end; what is open is remembered all the same."""
        monkeypatch.setattr("flowdiag.history.recording.KEPT_REPORTS", 3)
        for _ in range(5):
            last = record(path, dns_story())

        with closing(sqlite3.connect(path)) as connection:
            kept = connection.execute("SELECT id, report IS NULL, known FROM run ORDER BY id").fetchall()
        assert [gone for _, gone, _ in kept] == [1, 1, 0, 0, 0]
        assert kept[1][2] == last.counts[Status.KNOWN]
        with pytest.raises(InputError, match="only the sums"):
            read_run(path, 1)


class TestTelling:
    def test_new_problems_of_the_severities_are_to_be_told_once(self, path):
        """After the notification got through they are told no more."""
        story = dns_story()
        with History(path) as history:
            first = history.record(story, tell=HIGH)
            assert {key[0] for key in first.to_tell} == {
                p.fingerprint for p in story.problems if p.severity is Severity.HIGH
            }
            history.told("", first.to_tell)
            assert history.record(story, tell=HIGH).to_tell == ()

    def test_what_did_not_get_through_is_told_by_the_next_run(self, path):
        """A notification that failed, or a kill before it, delays the news and does not lose it."""
        story = dns_story()

        first = record(path, story, tell=HIGH)

        assert record(path, story, tell=HIGH).to_tell == first.to_tell

    def test_a_run_without_addresses_takes_no_news_from_the_next(self, path):
        """Somebody audits by hand while the webhook is away, and tells nobody."""
        story = dns_story()
        first = record(path, story, tell=HIGH)

        by_hand = record(path, story)

        assert by_hand.to_tell == ()
        assert record(path, story, tell=HIGH).to_tell == first.to_tell

    def test_accepted_and_gone_problems_are_not_told(self, path):
        """Neither is anybody's news any more."""
        story = dns_story()
        every = range(len(story.problems))

        assert record(path, story, tell=HIGH, accepted=every).to_tell == ()
        record(path, empty(), tell=HIGH)
        record(path, story, tell=HIGH)
        assert record(path, empty(), tell=HIGH).to_tell == ()


def damaged_header(path):
    path.write_bytes(b"not a database, but somebody's bytes" * 200)


def damaged_pages(path):
    record(path, dns_story())
    data = bytearray(path.read_bytes())
    for start in range(4096 + 100, len(data), 4096):
        data[start : start + 2000] = b"\xa5" * 2000
    path.write_bytes(data)


def cut_short(path):
    for _ in range(3):
        record(path, dns_story())
    path.write_bytes(path.read_bytes()[:6000])


def from_a_later_version(path):
    record(path, dns_story())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def with_a_damaged_problem(path):
    record(path, dns_story())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE problem SET last = x'00'")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def without_a_table(path):
    record(path, dns_story())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE problem")
        connection.commit()


class TestSettingAside:
    @pytest.mark.parametrize(
        "damage", [damaged_header, damaged_pages, cut_short, from_a_later_version, without_a_table]
    )
    def test_an_unreadable_history_is_kept_under_another_name(self, path, damage):
        """Every byte of it is still there, a warning says where, and the run goes on with a new one."""
        damage(path)
        before = path.read_bytes()

        with History(path) as history:
            (said,) = history.warnings
            found = history.record(dns_story())

        (kept,) = path.parent.glob("history.db.unreadable-*[0-9]Z")
        assert before == kept.read_bytes()
        assert kept.name in said
        assert found.run == 1

    def test_a_damaged_problem_is_met_when_it_is_gone(self, path):
        """Then the history is set aside like any other, and the run is recorded in a new one."""
        with_a_damaged_problem(path)
        before = path.read_bytes()

        with History(path) as history:
            assert history.record(dns_story()).run == 2, "known needs no look at it"
        with_a_damaged_problem(path)
        with History(path) as history:
            assert history.record(empty()).run == 1

        (kept,) = path.parent.glob("history.db.unreadable-*Z")
        assert kept.stat().st_size >= len(before)

    def test_a_log_beside_it_goes_along(self, path):
        """What a kill left in the write-ahead log belongs to the history."""
        damaged_header(path)
        for end in ("-wal", "-shm"):
            Path(f"{path}{end}").write_bytes(b"log" + end.encode())

        with History(path):
            pass

        (kept,) = path.parent.glob("history.db.unreadable-*Z")
        assert Path(f"{kept}-wal").read_bytes() == b"log-wal"
        assert Path(f"{kept}-shm").read_bytes() == b"log-shm"

    def test_two_in_one_second_are_two_files(self, path):
        """The second does not overwrite the first."""
        for _ in range(3):
            path.write_bytes(b"x" * 4096)
            with History(path):
                pass

        assert len(list(path.parent.glob("history.db.unreadable-*"))) == 3

    def test_damage_that_only_writing_meets_is_set_aside_too(self, path):
        """Opened well, damaged under its hands: the run is recorded in a new file."""
        with History(path) as history:
            history.record(dns_story())
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            data = bytearray(path.read_bytes())
            data[4096:] = b"\xa5" * (len(data) - 4096)
            path.write_bytes(data)

            found = history.record(mixed())

        assert found.run == 1
        assert len(history.warnings) == 1

    def test_what_another_run_has_replaced_meanwhile_is_not_set_aside_again(self, path):
        """The damage was in the file that this run had opened; the new one under the name is good."""
        with History(path) as history:
            history.record(dns_story())
            damaged = path.with_name("kept.db")
            for end in ("-wal", "-shm", ""):
                if Path(f"{path}{end}").exists():
                    Path(f"{path}{end}").rename(f"{damaged}{end}")
            record(path, mixed())
            connection, said = replace_database(path, identity(damaged), "damaged")
            connection.close()

        assert said == []
        assert not list(path.parent.glob("*.unreadable-*"))
        assert read_run(path).created == mixed().created

    def test_an_empty_file_is_a_new_history(self, path):
        """What touch makes, or a kill before the first page."""
        path.touch()

        assert record(path, dns_story()).run == 1
        assert not list(path.parent.glob("*.unreadable-*"))

    def test_another_programs_database_is_refused_and_not_touched(self, path):
        """A mistyped path must not take somebody's data away."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE invoices (id INTEGER)")
            connection.commit()
        before = path.read_bytes()

        with pytest.raises(UsageError, match="another program"):
            History(path)

        assert before == path.read_bytes()
        assert list(path.parent.iterdir()) == [path]

    def test_a_folder_that_is_not_there_is_an_error(self, tmp_path):
        """Nothing is made where nobody asked for it."""
        with pytest.raises(HistoryError, match="No such file"):
            History(tmp_path / "nowhere" / "history.db")


class TestMigrations:
    @pytest.mark.parametrize("version", range(len(MIGRATIONS)))
    def test_every_older_version_is_brought_up_to_date_with_its_runs(self, path, version):
        """A file as an older flowdiag left it opens, and what it knew is known."""
        story = dns_story()
        record(path, story)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE written")
            if version == 0:
                connection.execute("DROP TABLE run")
                connection.execute("DROP TABLE problem")
            connection.execute(f"PRAGMA user_version = {version}")
            connection.commit()

        with History(path) as history:
            assert history.warnings == ()
            found = history.record(story)
            assert history.written("anywhere") == []

        expected = Status.KNOWN if version else Status.NEW
        assert set(statuses(found).values()) == {expected}

    def test_problems_as_another_version_kept_them_are_still_told_when_they_are_gone(self, path):
        """A field that this version wants and the kept problem lacks costs that field, not the history."""
        record(path, dns_story())
        with closing(sqlite3.connect(path)) as connection:
            for rowid, last in connection.execute("SELECT rowid, last FROM problem").fetchall():
                kept = json.loads(zlib.decompress(last))
                del kept["reason"]
                connection.execute(
                    "UPDATE problem SET last = ? WHERE rowid = ?",
                    (zlib.compress(json.dumps(kept).encode()), rowid),
                )
            connection.commit()

        found = record(path, empty())

        told = {(p.fingerprint, p.code, p.title, p.last) for p in found.report.problems}
        assert told == {(p.fingerprint, p.code, p.title, p.last) for p in dns_story().problems}
        assert {p.status for p in found.report.problems} == {Status.GONE}

    def test_it_is_in_wal_mode_and_says_whose_it_is(self, path):
        """Readers do not wait for writers, and file(1) can tell what it is."""
        record(path, dns_story())

        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            assert connection.execute("PRAGMA application_id").fetchone() == (0x464C4F57,)


class TestReading:
    def test_runs_by_number_and_from_the_end(self, path):
        """12 is run 12, -1 the last, -2 the one before."""
        for report in (dns_story(), mixed(), empty()):
            record(path, report)

        assert read_run(path).created == read_run(path, 3).created == empty().created
        assert read_run(path, -2).created == read_run(path, 2).created
        with pytest.raises(InputError, match="there is no run 9"):
            read_run(path, 9)

    def test_the_run_before_is_the_last_ones_own(self, path):
        """Of audits by namespaces, the one before in time looked at another namespace."""
        for scope, report in (("a", dns_story()), ("b", mixed()), ("a", empty()), ("b", dns_story())):
            record(path, report, scope=scope)

        assert read_run(path, -2).created == mixed().created
        assert scope_of_run(path, -1) == scope_of_run(path, 2) == "b"
        with pytest.raises(InputError, match="there are no 3 runs that looked at the same"):
            read_run(path, -3)

    @pytest.mark.parametrize("name", ["SQLITE_READONLY", "SQLITE_CANTOPEN"])
    def test_who_may_only_read_its_folder_reads_it_too(self, path, monkeypatch, name):
        """SQLite wants to make files beside a history in WAL mode, also to read it; with a log there it has to."""
        record(path, dns_story())
        connect = sqlite3.connect

        def in_a_folder_of_others(address, **options):
            if "immutable" not in address:
                error = sqlite3.OperationalError("attempt to write a readonly database")
                error.sqlite_errorcode = getattr(sqlite3, name)
                raise error
            return connect(address, **options)

        monkeypatch.setattr(sqlite3, "connect", in_a_folder_of_others)

        assert read_run(path).created == dns_story().created
        Path(f"{path}-wal").write_bytes(b"x")
        with pytest.raises(InputError, match="readonly"):
            read_run(path)

    def test_what_is_no_history_is_an_error(self, path):
        """Reading never makes or moves a file."""
        with pytest.raises(InputError):
            read_run(path)
        path.write_bytes(b"x" * 5000)
        with pytest.raises(InputError):
            read_run(path)
        assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_names_the_file(tmp_path):
    """Of several histories on a machine it is known which one; SQLite says only that a disk is full."""
    path = tmp_path / "history.db"
    with History(path) as history:
        history.record(dns_story())
        (pages,) = history._connection.execute("PRAGMA page_count").fetchone()
        history._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(HistoryError, match=rf"^{path}: database or disk is full$"):
            fill(history)


def fill(history):
    for _ in range(50):
        history.record(dns_story())


def test_what_is_no_file_is_neither_opened_nor_set_aside(tmp_path):
    """A pipe would be waited for, and a device renamed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(HistoryError, match="no file"):
        History(pipe)

    assert [one.name for one in tmp_path.iterdir() if "unreadable" in one.name] == []


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (zlib.compress(b'{"x":' + b"[" * 100_000), "nested too deeply"),
        (zlib.compress(b"{}")[:-4], "cut short"),
        (zlib.compress(bytes(1000)), "more than a report"),
        ("text", "no bytes"),
        (7, "no bytes"),
    ],
    ids=["deep", "cut", "bomb", "text", "number"],
)
def test_a_history_that_somebody_made_is_told_to_be_damaged(tmp_path, monkeypatch, kept, words):
    """A column may hold anything, and some bytes may unfold to more than there is memory."""
    monkeypatch.setattr("flowdiag.history.kept._MOST", 500 if words.startswith("more") else 1 << 20)
    path = tmp_path / "history.db"
    with History(path) as history:
        history.record(dns_story())
        history._connection.execute("UPDATE run SET report = ?", (kept,))

    with pytest.raises(InputError, match=words):
        read_run(path, -1)
