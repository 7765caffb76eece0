"""What only reads an SQLite file: right whatever its journals and whoever has it open, and without a trace there."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import unittest

import cli_support
from project_test import RowTest

NOBODY = 65534
AS_NOBODY = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
FILLER_ROWS = 2000  # more than a cache of one page holds, so that a transaction is written before it is committed

# An older program: does the SQL that it is told, a line each, and says so.
OLDER_PROGRAM = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for line in sys.stdin:
    database.execute(line).fetchall()
    print("done", flush=True)
"""


def row_data(files):
    return json.dumps({"files_processed": files, "last_path": "/a", "batch_num": 3})


class OlderProgram:
    def __init__(self, test, file):
        self.process = subprocess.Popen([sys.executable, "-c", OLDER_PROGRAM, file], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        test.addCleanup(self.end)

    def sql(self, *statements):
        for statement in statements:
            self.process.stdin.write(statement + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "done\n", statement

    def checkpoint(self, files):
        self.sql("UPDATE indexing_state SET checkpoint_data = '%s'" % row_data(files))

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class ReadingTest(RowTest):
    """Each situation is made by a method make_…, after which the committed row says 20 files."""

    def setUp(self):
        super().setUp()
        self.maxDiff = None
        self.home = os.path.join(self.dir, "older")
        os.mkdir(self.home)
        self.db = os.path.join(self.home, "state.db")
        for directory in (self.dir, self.home):
            os.chmod(directory, 0o755)
        self.logs = 0

    def older(self, *statements):
        program = OlderProgram(self, self.db)
        program.sql(*statements)
        return program

    def make_table(self, *pragmas):
        self.legacy_row(data=row_data(10), status="paused")
        self.sql("CREATE TABLE filler (a TEXT)")
        self.sql("INSERT INTO filler WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) "
                 "SELECT hex(randomblob(500)) FROM n" % FILLER_ROWS)
        return self.older(*pragmas)

    def make_closed_rollback(self):
        program = self.make_table()
        program.checkpoint(20)
        program.end()

    def make_closed_wal(self):
        program = self.make_table("PRAGMA journal_mode = WAL")
        program.checkpoint(20)
        program.end()
        self.assertEqual(os.listdir(self.home), ["state.db"])

    def make_live_wal(self):
        program = self.make_table("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0")
        program.checkpoint(20)
        return program

    def make_live_wal_in_a_transaction(self):
        program = self.make_live_wal()
        program.sql("BEGIN IMMEDIATE")
        program.checkpoint(30)
        return program

    def make_emptied_wal(self):
        program = self.make_live_wal()
        program.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self.assertEqual(os.path.getsize(self.db + "-wal"), 0)
        return program

    def make_crashed_wal(self):
        self.make_live_wal().kill()
        self.assertGreater(os.path.getsize(self.db + "-wal"), 0)

    def make_wal_without_shm(self):
        self.make_crashed_wal()
        os.remove(self.db + "-shm")

    def make_hot_journal(self):
        program = self.make_table("PRAGMA cache_size = 1", "PRAGMA cache_spill = 1")
        program.checkpoint(20)
        program.sql("BEGIN")
        program.checkpoint(30)
        program.sql("UPDATE filler SET a = hex(randomblob(500))")
        program.kill()
        self.assertGreater(os.path.getsize(self.db + "-journal"), 0)

    def make_live_rollback_in_a_transaction(self):
        program = self.make_table()
        program.checkpoint(20)
        program.sql("BEGIN IMMEDIATE")
        program.checkpoint(30)
        self.assertTrue(os.path.exists(self.db + "-journal"))
        return program

    def make_kept_journal(self):
        program = self.make_table("PRAGMA journal_mode = PERSIST")
        program.checkpoint(20)
        self.assertGreater(os.path.getsize(self.db + "-journal"), 0)
        return program

    SITUATIONS = [name[len("make_"):] for name in dir() if name.startswith("make_") and name != "make_table"]

    def traces(self):
        """All that could be seen of a change, but the times of reading."""
        seen = {}
        for name in [".", *os.listdir(self.home)]:
            path = os.path.join(self.home, name)
            info = os.stat(path)
            content = b""
            if name != ".":
                with open(path, "rb") as file:
                    content = file.read()
            seen[name] = (info.st_mode, info.st_uid, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns,
                          hashlib.sha256(content).hexdigest())
        return seen

    def imported_files(self, *prefix):
        """Imports into a new log, and tells how many files the row said."""
        self.logs += 1
        place = os.path.join(self.dir, "log%d" % self.logs)
        os.mkdir(place)
        os.chmod(place, 0o777)
        log = os.path.join(place, "log")
        done = subprocess.run([*prefix, self.program, "import", "--sqlite", self.db, "--log", log],
                              capture_output=True, env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        row = json.loads(self.run_raw("project", "--json", "--log", log).stdout)
        return json.loads(row["checkpoint_data"])["files_processed"]

    def each_situation(self, check):
        for situation in self.SITUATIONS:
            with self.subTest(situation):
                shutil.rmtree(self.home)
                os.mkdir(self.home)
                os.chmod(self.home, 0o755)
                program = getattr(self, "make_" + situation)()
                check(program)
                if program:
                    program.end()

    def test_the_committed_row_is_imported_and_nothing_changed(self):
        def check(program):
            before = self.traces()
            self.assertEqual(self.imported_files(), 20)
            self.assertEqual(self.traces(), before)
        self.each_situation(check)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be two users")
    def test_another_user_who_may_only_read_imports_it_and_shuts_out_nobody(self):
        def check(program):
            before = self.traces()
            self.assertEqual(self.imported_files(*AS_NOBODY), 20)
            self.assertEqual(self.traces(), before)
            if program:
                program.end()
            self.older("BEGIN IMMEDIATE", "UPDATE indexing_state SET status = 'paused'", "COMMIT").end()
        self.each_situation(check)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to mount")
    def test_a_file_on_a_read_only_mount_is_imported(self):
        mount = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
                 '! touch "$0/x" 2>/dev/null && exec "$@"', self.home]

        def check(program):
            self.assertEqual(self.imported_files(*mount), 20)
        self.each_situation(check)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be two users")
    def test_another_user_checks_a_mirror_without_a_trace(self):
        self.start()
        for mode in ("DELETE", "WAL"):
            program = self.older("PRAGMA journal_mode = " + mode, "CREATE TABLE IF NOT EXISTS other (a)")
            self.text("project", "--sqlite", self.db)
            for live in (program, None):
                if not live:
                    program.end()
                before = self.traces()
                done = subprocess.run([*AS_NOBODY, self.program, "project", "--check", "--sqlite", self.db, "--log",
                                       self.log], capture_output=True, env=self.env)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertEqual(self.traces(), before)

    def test_a_writer_at_full_speed_is_read_as_of_one_moment(self):
        for mode in ("WAL", "DELETE"):
            with self.subTest(mode):
                shutil.rmtree(self.home)
                os.mkdir(self.home)
                program = self.make_table("PRAGMA journal_mode = " + mode, "PRAGMA synchronous = OFF",
                                          "PRAGMA wal_autocheckpoint = 10")
                stop = threading.Event()

                def write():
                    files = 20
                    while not stop.is_set():
                        files += 1
                        program.sql("BEGIN IMMEDIATE", "UPDATE indexing_state SET started_at = %d" % files,
                                    "UPDATE filler SET a = a WHERE rowid %% 100 = %d" % (files % 100))
                        program.checkpoint(files)
                        program.sql("UPDATE indexing_state SET updated_at = %d" % files, "COMMIT")
                        time.sleep(0.002)  # else a loaded machine leaves a reader no moment at all

                writer = threading.Thread(target=write)
                writer.start()
                try:
                    seen = []
                    deadline = time.monotonic() + 5
                    while len(seen) < 20 and time.monotonic() < deadline:
                        log = os.path.join(self.dir, "%s%d" % (mode, len(seen)))
                        done = self.run_raw("import", "--sqlite", self.db, "--log", log)
                        self.assertEqual(done.returncode, 0, done.stderr)
                        row = json.loads(self.run_raw("project", "--json", "--log", log).stdout)
                        files = json.loads(row["checkpoint_data"])["files_processed"]
                        if files > 20:
                            self.assertEqual((row["started_at"], row["updated_at"]), (files, files))
                        seen.append(files)
                finally:
                    stop.set()
                    writer.join()
                self.assertEqual(seen, sorted(seen))
                self.assertGreater(seen[-1], seen[0])
                program.sql("PRAGMA integrity_check")
                program.end()

    def test_a_file_that_is_locked_all_the_time_is_told_of_and_not_waited_for(self):
        program = self.make_table("PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE")
        before = time.monotonic()
        self.assertIn("is locked or changed by another program", self.refused("import", "--sqlite", self.db))
        self.assertLess(time.monotonic() - before, 30)
        program.end()

    def test_a_name_is_a_path_whatever_it_looks_like(self):
        self.make_closed_wal()
        for name in ("file:state.db?mode=memory", ":memory:", "100%41#?.db", "a b;'\"\u00e9"):
            os.rename(self.db, os.path.join(self.home, name))
            self.db = os.path.join(self.home, name)
            self.assertEqual(self.imported_files(), 20)
            log = os.path.join(self.dir, "relative" + str(self.logs))
            done = self.run_raw("import", "--sqlite", name, "--log", log, cwd=self.home)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(os.listdir(self.home)), 1)

    def test_through_a_symbolic_link_the_journals_are_found(self):
        self.make_crashed_wal()
        link = os.path.join(self.dir, "link.db")
        os.symlink(self.db, link)
        before = self.traces()
        self.db = link
        self.assertEqual(self.imported_files(), 20)
        self.assertEqual(self.traces(), before)
        self.assertFalse(os.path.lexists(link + "-wal"))

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be two users")
    def test_a_journal_that_may_not_be_read_is_not_left_out(self):
        self.make_crashed_wal()
        os.chmod(self.db + "-wal", 0o600)
        done = subprocess.run([*AS_NOBODY, self.program, "import", "--sqlite", self.db, "--log", "/nowhere/log"],
                              capture_output=True, env=self.env)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"state.db-wal: Permission denied; it holds a part of the database", done.stderr)

    def test_what_is_no_file_is_not_waited_for(self):
        os.mkfifo(self.db)
        self.assertIn("is no regular file", self.refused("import", "--sqlite", self.db))
        self.assertIn("is a directory", self.refused("import", "--sqlite", self.home))

    def test_a_view_of_that_name_is_not_run(self):
        self.sql("CREATE VIEW indexing_state AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                 "SELECT max(i) AS id, 'initial' AS operation_type, 'paused' AS status, '{}' AS checkpoint_data, "
                 "1 AS started_at, 1 AS updated_at, NULL AS completed_at FROM n")
        self.assertIn("is a view", self.refused("import", "--sqlite", self.db))

    def test_names_of_tables_and_columns_are_compared_as_sqlite_does(self):
        self.sql("CREATE TABLE Indexing_State (ID INTEGER PRIMARY KEY, Operation_Type, STATUS, checkpoint_data, "
                 "started_at, updated_at, completed_at)",
                 ("INSERT INTO indexing_state VALUES (1, 'full', 'paused', ?, 1, 2, NULL)", (row_data(20),)))
        self.assertEqual(self.imported_files(), 20)


if __name__ == "__main__":
    cli_support.main()
