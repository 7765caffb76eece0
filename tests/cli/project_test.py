"""The foldlog program and the single row: project, import, and the mirror that an indexer keeps."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import unittest

import cli_support
from cli_support import ProgramTest, wait_for

COLUMNS = ["id", "operation_type", "status", "checkpoint_data", "started_at", "updated_at", "completed_at"]
TABLE = ("CREATE TABLE indexing_state (id INTEGER PRIMARY KEY CHECK (id = 1), operation_type TEXT, status TEXT, "
         "checkpoint_data TEXT, started_at INTEGER, updated_at INTEGER, completed_at INTEGER)")
LEGACY = {"files_processed": 10, "last_path": "/a", "batch_num": 3}


class RowTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.db = os.path.join(self.dir, "state.db")

    def sql(self, *statements):
        with sqlite3.connect(self.db) as connection:
            for statement in statements:
                connection.execute(*statement) if isinstance(statement, tuple) else connection.execute(statement)
        connection.close()

    def row(self):
        connection = sqlite3.connect(self.db)
        rows = connection.execute("SELECT %s FROM indexing_state" % ", ".join(COLUMNS)).fetchall()
        connection.close()
        return dict(zip(COLUMNS, rows[0])) if rows else None

    def legacy_row(self, data=None, status="indexing", operation_type="full"):
        self.sql(TABLE, ("INSERT INTO indexing_state VALUES (1, ?, ?, ?, 100, 200, NULL)",
                         (operation_type, status, json.dumps(LEGACY) if data is None else data)))


class ProjectTest(RowTest):
    def test_the_row_is_printed_with_its_columns_or_null(self):
        operation = self.start()
        row = self.json("project")
        self.assertEqual(list(row), COLUMNS)
        self.assertEqual((row["id"], row["status"]), (1, "in_progress"))
        self.assertEqual(json.loads(row["checkpoint_data"])["operation_id"], operation)
        self.text("reset")
        self.assertIsNone(self.json("project"))
        self.assertEqual(self.json("project", "--at", "1"), row)
        self.assertIn("ends with event 2", self.refused("project", "--json", "--at", "3"))

    def test_the_file_equals_the_printed_row(self):
        self.start()
        self.text("project", "--sqlite", self.db)
        self.assertEqual(self.row(), self.json("project"))
        self.text("reset")
        self.text("project", "--sqlite", self.db)
        self.assertIsNone(self.row())

    def test_follow_shows_what_comes_and_ends_on_a_signal(self):
        self.start()
        follower = self.spawn("project", "--sqlite", self.db, "--follow")
        wait_for(lambda: os.path.exists(self.db) and self.try_row(), "the first row")
        self.text("checkpoint", "--files", "7")
        wait_for(lambda: '"files_processed": 7' in self.try_row()["checkpoint_data"], "the checkpoint")
        follower.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(follower), (0, "", ""))

    def try_row(self):
        try:
            return self.row()
        except sqlite3.OperationalError:  # no table yet
            return None

    def test_follow_waits_for_a_lock_and_makes_a_lost_file_anew_and_says_so(self):
        self.start()
        follower = self.spawn("project", "--sqlite", self.db, "--follow", stderr=subprocess.STDOUT)
        wait_for(lambda: os.path.exists(self.db) and self.try_row(), "the first row")
        locker = sqlite3.connect(self.db, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        self.text("checkpoint", "--files", "7")
        self.assertIn(b"database is locked; it is tried again every second", follower.stdout.readline())
        locker.close()
        self.assertIn(b"is up to date again", follower.stdout.readline())
        self.assertEqual(self.row(), self.json("project"))
        os.rename(self.db, self.db + ".old")
        self.assertIn(b"renamed, deleted or replaced", follower.stdout.readline())
        self.assertEqual(self.row(), self.json("project"))
        follower.send_signal(signal.SIGTERM)
        self.assertEqual((follower.stdout.read(), follower.wait()), (b"", 0))

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be two users")
    def test_users_who_may_only_read_the_file_can_read_the_row_before_and_after_the_writer_ends(self):
        os.chmod(self.dir, 0o755)
        self.start()
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c",
                   "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("
                   "'SELECT status FROM indexing_state').fetchone()[0])", self.db]
        follower = self.spawn("project", "--sqlite", self.db, "--follow")
        wait_for(lambda: os.path.exists(self.db) and self.try_row(), "the first row")
        self.assertEqual(subprocess.check_output(command), b"in_progress\n")
        follower.kill()
        follower.wait()
        self.assertEqual(subprocess.check_output(command), b"in_progress\n")
        self.text("project", "--sqlite", self.db)
        self.assertEqual(subprocess.check_output(command), b"in_progress\n")

    def test_a_file_that_cannot_be_written_is_refused_with_what_to_do(self):
        self.start()
        message = self.refused("project", "--sqlite", os.path.join(self.dir, "none", "state.db"))
        self.assertIn("No such file or directory", message)
        if os.geteuid() == 0:
            os.chmod(self.dir, 0o755)
            self.text("project", "--sqlite", self.db)
            self.text("checkpoint", "--files", "1")
            mount = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && "$@"',
                     os.path.dirname(self.db), self.program, "project", "--sqlite", self.db, "--log", self.log]
            done = subprocess.run(mount, capture_output=True, env=self.env)
            if b"log.mdb" not in done.stderr:  # the log is on the mount, too
                self.assertIn(b"make the file and its directory writable", done.stderr)

    def test_check_names_foreign_writes_and_heal_repairs(self):
        self.start()
        self.text("project", "--sqlite", self.db)
        self.assertIn("shows event 1", self.text("project", "--check", "--sqlite", self.db))
        self.sql("UPDATE indexing_state SET status = 'completed'")
        message = self.refused("project", "--check", "--sqlite", self.db)
        self.assertIn("a foreign write: status is completed, the log says in_progress", message)
        self.text("checkpoint", "--files", "1")
        self.assertIn("it is behind: it shows event 1", self.refused("project", "--check", "--sqlite", self.db))
        self.assertIn("repaired: ", self.text("project", "--check", "--heal", "--sqlite", self.db))
        self.assertEqual(self.row(), self.json("project"))
        self.sql("UPDATE indexing_state SET started_at = 'then'")
        self.assertIn("started_at is text", self.refused("project", "--check", "--sqlite", self.db))
        self.assertIn("repaired: ", self.text("project", "--check", "--heal", "--sqlite", self.db))
        self.assertEqual(self.row(), self.json("project"))

    def test_a_row_of_an_older_program_is_not_overwritten(self):
        self.start()
        self.legacy_row()
        before = self.row()
        self.assertIn("import it first", self.refused("project", "--sqlite", self.db))
        self.assertEqual(self.row(), before)

    def test_wrong_combinations_are_wrong_usage(self):
        self.start()
        for words in ([], ["--json", "--sqlite", "x"], ["--at", "1"], ["--follow"], ["--heal", "--sqlite", "x"],
                      ["--check", "--follow", "--sqlite", "x"]):
            self.assertEqual(self.run_raw("project", *words, "--log", self.log).returncode, 2, words)

    def test_an_indexer_keeps_a_mirror(self):
        tree = os.path.join(self.dir, "tree")
        os.mkdir(tree)
        for name in "abc":
            open(os.path.join(tree, name), "w").close()
        self.foldlog("index", tree, "--catalog", os.path.join(self.dir, "catalog.db"), "--mirror", self.db, "--quiet")
        self.assertEqual(self.row()["status"], "completed")
        self.assertEqual(self.row(), self.json("project"))
        self.text("project", "--check", "--sqlite", self.db)

    def test_the_mirror_and_its_journals_are_not_indexed(self):
        tree = os.path.join(self.dir, "tree")
        os.mkdir(tree)
        open(os.path.join(tree, "a"), "w").close()
        self.db = os.path.join(tree, "state.db")
        catalog = os.path.join(self.dir, "catalog.db")
        self.sql("PRAGMA journal_mode = WAL", "CREATE TABLE other (a)")
        keeper = sqlite3.connect(self.db)  # keeps -wal and -shm there
        self.addCleanup(keeper.close)
        keeper.execute("SELECT * FROM other")
        for types in ((), ("--type", "incremental")):
            self.foldlog("index", tree, "--catalog", catalog, "--mirror", self.db, "--quiet", *types)
            with contextlib.closing(sqlite3.connect(catalog)) as database:
                paths = [os.fsdecode(path) for path, in database.execute("SELECT path FROM files")]
            self.assertEqual([os.path.basename(path) for path in paths], ["a"])


class ImportTest(RowTest):
    def imported(self):
        done = self.run_raw("import", "--sqlite", self.db, "--log", self.log)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode().strip(), done.stderr.decode()

    def test_a_row_of_the_minimal_manager_comes_back_and_is_resumed_without_force(self):
        self.legacy_row()
        before = self.row()
        operation, notice = self.imported()
        self.assertIn("has stopped", notice)
        self.assertEqual(self.json("project"), before)
        self.assertEqual(self.row(), before)
        self.assertEqual(self.json("status")["evidence"], "closed_without_end")
        self.assertEqual(self.text("resume").strip(), operation + "@2")
        self.text("checkpoint", "--files", "11")
        self.assertEqual(json.loads(self.json("project")["checkpoint_data"])["last_processed_file"], "/a")
        event = self.json_lines("events", "--kind", "imported")[0]
        self.assertEqual((event["operation_id"], event["source"], event["row"]), (operation, self.db, before))

    def test_the_mirror_goes_on_in_the_file_that_was_imported(self):
        self.legacy_row(status="paused")
        operation, notice = self.imported()
        self.assertEqual(notice, "")
        self.text("resume", operation)
        self.text("project", "--sqlite", self.db)
        self.assertEqual(self.row()["status"], "in_progress")

    def test_what_python_writes_for_no_number_stays_in_the_row(self):
        for rate in ("NaN", "Infinity", "-Infinity", "1e999"):
            self.log = os.path.join(self.dir, "log" + rate)
            self.db = os.path.join(self.dir, rate + ".db")
            self.legacy_row(data='{"files_processed": 1, "rate": %s}' % rate, status="paused")
            before = self.row()
            self.imported()
            self.assertEqual(self.json("project"), before)

    def test_text_is_read_from_files_of_any_encoding(self):
        self.sql("PRAGMA encoding = 'UTF-16le'", "CREATE TABLE other (a)")  # it stays with the first table
        self.legacy_row(data='{"last_path": "/r\u00e9sum\u00e9"}', status="paused")
        before = self.row()
        self.imported()
        self.assertEqual(self.json("project"), before)
        self.text("project", "--sqlite", self.db)
        self.assertEqual(self.row(), before)

    def test_what_is_no_row_is_refused_and_nothing_is_written(self):
        self.assertIn("does not exist", self.refused("import", "--sqlite", self.db))
        self.sql("CREATE TABLE other (a)")
        self.assertIn("has no table indexing_state", self.refused("import", "--sqlite", self.db))
        self.sql("CREATE TABLE indexing_state (id, operation_type, status, checkpoint_data, started_at, updated_at)")
        self.assertIn("has no column completed_at", self.refused("import", "--sqlite", self.db))
        self.sql("ALTER TABLE indexing_state ADD completed_at")
        self.assertIn("is empty", self.refused("import", "--sqlite", self.db))
        insert = "INSERT INTO indexing_state VALUES (1, 'full', 'paused', '{}', 1, 2, NULL)"
        self.sql(insert, insert)
        self.assertIn("more than one row", self.refused("import", "--sqlite", self.db))
        self.sql("DELETE FROM indexing_state", insert)
        for column, value, message in (("id", 5, "has the id 5, not 1"),
                                       ("checkpoint_data", None, "checkpoint_data is NULL, not text"),
                                       ("status", 7, "status is an integer, not text"),
                                       ("started_at", "x", "started_at is text, not an integer"),
                                       ("updated_at", 1.5, "updated_at is a real number, not an integer"),
                                       ("completed_at", b"x", "completed_at is a blob, not an integer")):
            kept = self.row()[column]
            self.sql(("UPDATE indexing_state SET %s = ?" % column, (value,)))
            self.assertIn(message, self.refused("import", "--sqlite", self.db))
            self.sql(("UPDATE indexing_state SET %s = ?" % column, (kept,)))
        for column, value, message in (("checkpoint_data", "{", "checkpoint_data is no JSON"),
                                       ("status", "sleeping", 'status is "sleeping"')):
            kept = self.row()[column]
            self.sql(("UPDATE indexing_state SET %s = ?" % column, (value,)))
            self.assertIn(message, self.refused("import", "--sqlite", self.db))
            self.sql(("UPDATE indexing_state SET %s = ?" % column, (kept,)))
        self.assertFalse(os.path.exists(self.log))
        self.imported()
        self.assertIn("cannot import", self.refused("import", "--sqlite", self.db))


if __name__ == "__main__":
    cli_support.main()
