"""The foldlog program as scripts use it: one step of an operation a call."""

import os
import sqlite3  # part of the standard library; only to write a file that is no log
import subprocess
import unittest

import cli_support
from cli_support import ProgramTest

COMMANDS = ["index", "status", "history", "show", "events", "start", "checkpoint", "pause", "resume", "recover",
            "complete", "fail", "clear", "reset", "project", "import"]


class StepTest(ProgramTest):
    def test_start_prints_the_token_alone_and_records_what_was_given(self):
        operation = self.start_token("--type", "incremental", "--total", "1000", "--root", "/photos", "--root", "[x,y]",
                               "--meta", "who=me", "--meta", "expression=a=b", "--meta", "who=you")
        self.assertRegex(operation, r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}@1\Z")
        status = self.json("status")
        self.assertEqual(status["operation_id"] + "@1", operation)
        self.assertEqual(status["operation_type"], "incremental")
        self.assertEqual(status["status"], "in_progress")
        self.assertEqual(status["total_files"], 1000)
        self.assertEqual(status["roots"], ["/photos", "[x,y]"])
        self.assertEqual(status["metadata"], {"who": ["me", "you"], "expression": "a=b"})

    def test_the_calling_process_answers_for_the_operation(self):
        self.start_token()
        owner = self.json("status")["owner"]
        self.assertEqual(owner["pid"], os.getpid())
        self.assertFalse(owner["holds_log"])

    def test_start_tells_programs_its_handle(self):
        answer = self.json("start")
        self.assertEqual(list(answer), ["operation_id", "epoch", "sequence", "status", "token"])
        self.assertEqual((answer["epoch"], answer["sequence"]), (1, 1))

    def test_a_second_start_is_refused_and_names_the_first(self):
        operation = self.start_token()
        self.assertIn(operation[:-2], self.refused("start"))

    def test_what_is_added_counts_from_where_the_operation_stands(self):
        operation = self.start()
        self.text("checkpoint", operation, "--files", "5")
        self.text("checkpoint", operation, "--add", "2", "--last", "b")
        self.text("checkpoint", operation, "--add", "0", "--error", "torn", "--error-path", "c")
        status = self.json("status")
        self.assertEqual((status["files_processed"], status["last_processed_file"], status["error_count"]), (7, "b", 1))

    def test_a_count_that_goes_back_is_refused_unless_it_is_meant(self):
        operation = self.start()
        self.text("checkpoint", operation, "--files", "5")
        message = self.refused("checkpoint", operation, "--files", "3")
        self.assertIn("is 3, but the operation stands at 5 already", message)
        self.assertIn("--add", message)
        self.assertIn("--allow-decrease", message)
        self.assertEqual(self.json("status")["files_processed"], 5)
        self.text("checkpoint", operation, "--files", "3", "--allow-decrease")
        self.assertEqual(self.json("status")["files_processed"], 3)

    def test_a_checkpoint_changes_only_what_it_names(self):
        operation = self.start_token()
        self.assertEqual(self.text("checkpoint", "--files", "5", "--path", "/a", "--last", "/a/b", "--batch", "2"), "")
        self.text("checkpoint", operation, "--files", "6", "--error", "no entry", "--error-path", "/a/c")
        status = self.json("status")
        self.assertEqual([status[k] for k in ("files_processed", "current_path", "last_processed_file", "batch_num",
                                              "error_count")], [6, "/a", "/a/b", 2, 1])
        self.assertEqual(self.json_lines("events", "--from", "3")[0]["error"], {"path": "/a/c", "error": "no entry"})

    def test_an_error_is_that_of_the_path_at_hand_unless_said_otherwise(self):
        self.start_token()
        self.text("checkpoint", "--files", "1", "--path", "/a", "--error", "no entry")
        self.assertEqual(self.json_lines("events", "--from", "2")[0]["error"], {"path": "/a", "error": "no entry"})

    def test_an_operation_goes_through_its_life(self):
        operation = self.start_token()
        self.assertEqual(self.text("pause", "--reason", "backup"), "")
        self.assertEqual(self.json("status")["pause_reason"], "backup")
        self.assertEqual(self.text("resume", "--reason", "backup done"), operation[:-2] + "@2\n")
        self.assertEqual(self.json("status")["epoch"], 2)
        self.text("complete", "--stat", "bytes=12", "--stat", "mean=0.5", "--stat", "code=007", "--stat", "none=")
        shown = self.json("show", operation)
        self.assertEqual(shown["status"], "completed")
        self.assertEqual(shown["stats"], {"bytes": 12, "mean": 0.5, "code": "007", "none": ""})
        self.assertIsInstance(shown["stats"]["bytes"], int)
        self.text("clear")
        self.assertEqual(self.json("status")["status"], "idle")
        self.assertEqual([event["kind"] for event in self.json_lines("events")],
                         ["started", "paused", "resumed", "completed", "cleared"])
        self.assertEqual({event["operation_id"] for event in self.json_lines("events")}, {operation[:-2]})

    def test_a_failure_keeps_its_message(self):
        self.start_token()
        self.text("fail", "--error", "the disk is gone")
        status = self.json("status")
        self.assertEqual((status["status"], status["failure"]), ("failed", "the disk is gone"))

    def test_reset_takes_an_unfinished_operation_off_the_row(self):
        operation = self.start_token()
        self.text("reset", "--reason", "wrong disk")
        self.assertEqual(self.json("status")["status"], "idle")
        self.assertEqual(self.json("show", operation)["reset"], 2)
        self.assertEqual(self.json_lines("events", "--kind", "reset")[0]["reason"], "wrong disk")

    def test_what_the_state_does_not_allow_is_refused(self):
        self.start_token()
        self.refused("clear")
        self.refused("resume")
        self.text("pause")
        self.refused("pause")
        self.text("complete")
        for command in (["pause"], ["resume"], ["complete"], ["checkpoint", "--files", "1"], ["fail", "--error", "x"]):
            self.refused(*command)

    def test_another_operations_id_is_refused(self):
        self.start_token()
        for command in (["checkpoint", "nobody", "--files", "1"], ["pause", "nobody"], ["complete", "nobody"],
                        ["fail", "nobody", "--error", "x"], ["resume", "nobody"],
                        ["recover", "nobody", "--force", "--reason", "x"]):
            self.assertIn("nobody", self.refused(*command))
        self.assertEqual(self.json("status")["last_sequence"], 1)

    def test_an_empty_name_is_refused_and_not_taken_for_the_active_operation(self):
        self.start()
        for step in (["checkpoint", "--files", "1"], ["pause"], ["resume"], ["complete"], ["fail", "--error", "x"]):
            message = self.refused(step[0], "", *step[1:])
            self.assertIn("by its token or its id", message)
            self.assertIn("an empty variable", message)
        self.assertEqual(self.json("status")["files_processed"], 0)

    def test_a_stale_epoch_is_refused(self):
        self.start_token()
        self.text("pause")
        self.text("resume")
        for command in (["checkpoint", "--files", "1"], ["pause"], ["complete"], ["fail", "--error", "x"]):
            self.assertIn("stale", self.refused(*command, "--epoch", "1"))
        self.text("checkpoint", "--files", "1", "--epoch", "2")


class RecoveryTest(ProgramTest):
    def test_an_operation_whose_owner_died_is_interrupted_and_can_be_resumed(self):
        owner = self.sleeper()
        operation = self.start_token("--owner-pid", str(owner.pid))
        self.assertFalse(self.json("status")["interrupted"])
        self.assertIn("still there", self.refused("resume"))
        owner.kill()
        owner.wait()
        status = self.json("status")
        self.assertEqual((status["interrupted"], status["evidence"]), (True, "process_died"))
        self.assertTrue(self.json_lines("history")[0]["interrupted"])
        self.assertIn("its process died", self.text("status"))
        self.assertIn("interrupted", self.text("history"))
        answer = self.json("resume")
        self.assertEqual((answer["token"], answer["sequence"]), (operation[:-2] + "@2", 2))
        status = self.json("status")
        self.assertEqual((status["interrupted"], status["evidence"]), (False, None))
        self.assertEqual(self.json_lines("events", "--kind", "recovered")[0]["evidence"], "process_died")
        self.assertEqual(self.json_lines("history")[0]["interruptions"], 1)

    def test_taking_over_from_a_living_owner_takes_force_and_a_reason(self):
        operation = self.start_token("--owner-pid", str(self.sleeper().pid))
        self.assertIn("--force", self.refused("recover", "--reason", "x", status=2))
        self.assertIn("--reason", self.refused("recover", "--force", status=2))
        self.assertEqual(self.text("recover", "--force", "--reason", "I know"), operation[:-2] + "@2\n")
        event = self.json_lines("events", "--from", "2")[0]
        self.assertEqual((event["kind"], event["evidence"], event["reason"]), ("recovered", "forced", "I know"))
        self.refused("checkpoint", "--files", "1", "--epoch", "1")

    def test_an_owner_that_is_not_there_is_refused(self):
        owner = self.sleeper()
        owner.kill()
        owner.wait()
        self.assertIn("--owner-pid", self.refused("start", "--owner-pid", str(owner.pid)))
        self.assertFalse(os.path.exists(self.log))


class UsageTest(ProgramTest):
    def assert_wrong(self, *args):
        done = self.run_raw(*args)
        self.assertEqual((done.returncode, done.stdout), (2, b""), (args, done.stderr))
        self.assertRegex(done.stderr, rb"\Afoldlog: .+--help.+\n\Z")
        self.assert_safe(done.stderr)
        return done.stderr.decode()

    def test_wrong_usage_is_status_2_and_points_to_help(self):
        for args in ([], ["nonsense"], ["--nonsense"], ["status", "--nonsense"], ["status", "surplus"], ["checkpoint"],
                     ["checkpoint", "--files"], ["checkpoint", "--files", "x"],
                     ["checkpoint", "a", "b", "--files", "1"],
                     ["checkpoint", "--files", "1", "--files", "2"],
                     ["checkpoint", "--files", "1", "--add", "1"], ["checkpoint", "--add", "1", "--allow-decrease"],
                     ["checkpoint", "--error", "x"], ["start", "--type", "partial"],
                     ["start", "--meta", "novalue"], ["complete", "--stat", "=1"], ["fail"], ["events", "--kind", "x"],
                     ["events", "--from", "-1"], ["index", "--batch", "0"], ["checkpoint", "--files", "1",
                     "--error-path", "/a"], ["bad\x1b\n"]):
            self.assert_wrong(*args)

    def test_negative_counts_are_refused_and_named(self):
        self.start_token()
        for args in (["checkpoint", "--files", "-1"], ["checkpoint", "--files=-1"],
                     ["checkpoint", "--files", "1", "--batch", "-1"], ["start", "--total", "-1"]):
            self.assertIn("-1 is negative", self.refused(*args, status=2))
        self.assertEqual(self.json("status")["last_sequence"], 1)

    def test_the_log_is_named_before_or_after_the_command_or_by_the_environment(self):
        self.start_token()
        for args, env in ((["--log", self.log, "status"], {}), (["status", "--log", self.log], {}),
                          (["status", "--log=" + self.log], {}), (["status"], {"FOLDLOG": self.log}),
                          (["status", "--log", self.log], {"FOLDLOG": "/nonsense"})):
            done = self.run_raw(*args, env={**self.env, **env})
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_missing_log_is_wrong_usage(self):
        for args, env in ((["status"], {}), (["status"], {"FOLDLOG": ""}), (["start"], {})):
            done = self.run_raw(*args, env={**self.env, **env})
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"--log DIR", done.stderr)
            self.assertIn(b"FOLDLOG", done.stderr)

    def test_every_command_explains_itself_with_an_example(self):
        overview = self.run_raw("--help")
        self.assertEqual((overview.returncode, overview.stderr), (0, b""))
        for command in COMMANDS:
            self.assertRegex(overview.stdout.decode(), r"(?m)^  %s " % command)
            done = self.run_raw(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertRegex(done.stdout.decode(), r"(?s)Usage: foldlog %s.*Examples?:\n  \S*foldlog %s" %
                             (command, command) if command != "start" else r"Example:\n  operation=\$\(foldlog start")

    def test_version(self):
        self.assertRegex(self.run_raw("--version").stdout, rb"\Afoldlog \d+\.\d+\.\d+\n\Z")

    def test_values_that_look_like_syntax_arrive_as_they_are(self):
        for value in ("[a,b]", "{}", "--force", "-x", "a=b", ""):
            self.start_token()
            self.text("fail", "--error", value)
            self.assertEqual(self.json("status")["failure"], value)
        self.start_token()
        self.text("pause", "--reason=")
        self.assertEqual(self.json("status")["pause_reason"], "")


class PlaceTest(ProgramTest):
    """Where there is no log, or none that may be written."""

    WRITERS = [["checkpoint", "--files", "1"], ["pause"], ["resume"], ["recover", "--force", "--reason", "x"],
               ["complete"], ["fail", "--error", "x"], ["clear"], ["reset"]]
    READERS = [["status"], ["history"], ["show"], ["events"], ["events", "--follow"], ["status", "--json"]]

    def test_a_log_that_is_missing_is_neither_read_nor_created(self):
        for command in self.WRITERS + self.READERS + [["index"]]:
            self.assertIn("there is no log at " + self.log, self.refused(*command))
        self.assertFalse(os.path.exists(self.log))

    def test_a_file_is_no_log(self):
        with open(self.log, "w") as file:
            file.write("precious")
        for command in self.WRITERS + self.READERS + [["start"]]:
            self.assertIn("not a directory", self.refused(*command))
        with open(self.log) as file:
            self.assertEqual(file.read(), "precious")

    def test_a_directory_with_other_files_is_no_log(self):
        os.mkdir(self.log)
        with open(os.path.join(self.log, "precious"), "w") as file:
            file.write("x")
        for command in self.WRITERS + self.READERS + [["start"]]:
            self.refused(*command)
        self.assertEqual(os.listdir(self.log), ["precious"])

    def test_a_database_of_somebody_else_is_no_log(self):
        os.mkdir(self.log)
        with sqlite3.connect(os.path.join(self.log, "log.mdb")) as database:
            database.execute("CREATE TABLE t (x)")
        database.close()
        for command in (["start"], ["status"], ["events"]):
            done = self.run_raw(*command, "--log", self.log)
            self.assertIn(done.returncode, (1, 3))
            self.assertRegex(done.stderr, rb"\Afoldlog: .+log.+\n\Z")

    def test_a_log_that_may_not_be_written_can_be_read_and_says_so(self):
        operation = self.start_token()
        for name in ("log.mdb", "writer.lock"):  # readers sign in to log.mdb-lock
            os.chmod(os.path.join(self.log, name), 0o444)
        os.chmod(self.log, 0o555)
        self.addCleanup(os.chmod, self.log, 0o755)
        # Root may write everywhere, unless it gives up that privilege.
        prefix = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []

        def run(*args):
            return subprocess.run([*prefix, self.program, *args, "--log", self.log], capture_output=True, env=self.env,
                                  timeout=cli_support.TIMEOUT_S)

        written = run("checkpoint", "--files", "1")
        self.assertEqual(written.returncode, 1, written.stderr)
        self.assertIn(b"ermi", written.stderr)
        read = run("status", "--json")
        self.assertEqual(read.returncode, 0, read.stderr)
        self.assertIn(operation[:-2].encode(), read.stdout)

    def test_a_damaged_log_is_status_3(self):
        self.start_token()
        path = os.path.join(self.log, "log.mdb")
        with open(path, "rb") as file:
            content = file.read()
        # A byte in the head of the first frame, packed or not.
        batch = content.index(b"FLGZ") if b"FLGZ" in content else content.index(b"FLG1")
        at = batch + 24
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(bytes([content[at] ^ 0xFF]))
        message = self.refused("events", status=3)
        self.assertIn(self.log, message)
        self.refused("checkpoint", "--files", "1", status=3)


if __name__ == "__main__":
    cli_support.main()
