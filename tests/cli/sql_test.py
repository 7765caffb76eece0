"""SQL over a log: by the program, by the extension in sqlite3's shell and in Python, beside a writer at work."""
import csv
import io
import json
import os
import sqlite3
import threading

import cli_support
from cli_support import ProgramTest


class SqlTest(ProgramTest):
    def fill(self):
        self.start("--total", "10", "--meta", "what=nightly")
        for files in range(1, 6):
            self.text("checkpoint", "--files", str(files), "--last", f"/data/{files}")
        self.text("checkpoint", "--files", "6", "--error", "cannot read", "--error-path", "/data/6")
        self.text("fail", "--error", "disk, gone")

    def extension(self):
        return os.path.join(os.path.dirname(self.program), "foldlog_sqlite.so")

    def connect(self):
        connection = sqlite3.connect(":memory:")
        connection.enable_load_extension(True)
        connection.load_extension(self.extension())
        return connection

    def test_rows_for_people_for_programs_and_for_spreadsheets(self):
        self.fill()
        statement = "SELECT status, files, errors, failure FROM runs"
        self.assertEqual(json.loads(self.text("sql", "--json", statement)),
                         {"status": "failed", "files": 6, "errors": 2, "failure": "disk, gone"})
        rows = list(csv.reader(io.StringIO(self.text("sql", "--csv", statement))))
        self.assertEqual(rows, [["status", "files", "errors", "failure"], ["failed", "6", "2", "disk, gone"]])
        lines = self.text("sql", statement).splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["status", "failed"])

    def test_what_is_wrong_with_a_statement_is_said_and_nothing_can_be_written(self):
        self.fill()
        for statement, words in (("SELEC 1", "syntax error"), ("SELECT colour FROM runs", "no such column"),
                                 ("DELETE FROM runs", "may not be modified"),
                                 ("SELECT * FROM state_at(99)", "does not exist")):
            self.assertIn(words, self.refused("sql", statement))

    def test_what_would_be_gone_at_once_is_refused(self):
        self.fill()
        for statement in ("CREATE TABLE mine AS SELECT * FROM runs", "CREATE VIEW mine AS SELECT 1", "DROP TABLE runs",
                          "CREATE VIRTUAL TABLE mine USING runs", "INSERT INTO runs (status) VALUES ('x')",
                          "ATTACH 'mine.db' AS mine", "VACUUM INTO 'mine.db'"):
            self.assertIn("nothing is written", self.refused("sql", statement), statement)
        statement = "CREATE TEMP TABLE mine AS SELECT status FROM runs; SELECT status FROM mine; DROP TABLE mine"
        self.assertEqual(self.text("sql", "--csv", statement).splitlines(), ["status", "failed"])
        self.assertEqual(self.text("sql", "--csv", "SELECT value FROM json_each('[7]')").splitlines(), ["value", "7"])

    def test_tables_join_with_those_of_the_user(self):
        self.fill()
        mine = os.path.join(self.dir, "it's mine?.db")
        with sqlite3.connect(mine) as connection:
            connection.execute("CREATE TABLE owners (prefix TEXT, owner TEXT)")
            connection.execute("INSERT INTO owners VALUES ('/data/', 'ann')")
        answer = self.text("sql", "--json", "--attach", f"mine={mine}",
                           "SELECT owner, count(*) AS n FROM errors JOIN mine.owners ON path GLOB prefix || '*'")
        self.assertEqual(json.loads(answer), {"owner": "ann", "n": 1})
        self.assertIn("nothing is written", self.refused("sql", "--attach", f"mine={mine}", "DELETE FROM mine.owners"))

    def test_the_shell_has_the_tables(self):
        self.fill()
        self.assertIn("six:6", self.text("sql", stdin=None, input=b"SELECT 'six:' || files FROM runs;\n"))

    def test_python_asks_while_a_writer_is_at_work(self):
        self.fill()
        stop = threading.Event()

        def write():
            while not stop.is_set():
                operation = self.start_token()
                for files in range(1, 4):
                    self.text("checkpoint", operation, "--files", str(files))
                self.text("complete", operation)

        writer = threading.Thread(target=write)
        os.environ["FOLDLOG"] = self.log
        connection = self.connect()
        writer.start()
        try:
            last = 0
            for _ in range(300):
                # One statement sees one moment: both counts are of the same events.
                whole, by_kind, runs, active = connection.execute(
                    "SELECT (SELECT count(*) FROM events), (SELECT sum(n) FROM (SELECT count(*) n FROM events "
                    "GROUP BY kind)), (SELECT count(*) FROM runs), (SELECT count(*) FROM runs WHERE status = "
                    "'in_progress')").fetchone()
                self.assertEqual(whole, by_kind)
                self.assertGreaterEqual(whole, last)
                self.assertLessEqual(active, 1)
                starts, = connection.execute("SELECT count(*) FROM events WHERE kind = 'started'").fetchone()
                self.assertGreaterEqual(starts, runs)
                last = whole
        finally:
            stop.set()
            writer.join()
        self.assertEqual(connection.execute("SELECT files FROM state_at(3)").fetchone(), (2,))


if __name__ == "__main__":
    cli_support.main()
