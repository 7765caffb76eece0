"""status, history, show and events of the foldlog program, with and without a writer at work."""

import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import unittest

import cli_support
from cli_support import ProgramTest, WEIRD_NAME, wait_for

STATUS_KEYS = ["operation_id", "operation_type", "status", "interrupted", "total_files", "files_processed",
               "current_path", "last_processed_file", "batch_num", "error_count", "file_errors", "rate", "recent_rate",
               "active_s", "paused_s", "started_at", "updated_at", "completed_at", "clock_steps", "last_clock_step", "epoch",
               "last_sequence", "durable_sequence", "missing_through", "stored_sequence", "last_hash", "roots", "metadata",
               "owner", "evidence", "owner_fate", "pause_reason", "failure", "time_left_s",
               "last_progress_at", "idle_s", "stalled", "writer", "recovery", "restored"]
STORY_KEYS = ["progress", "rates", "pauses", "pauses_left_out", "recoveries", "recoveries_left_out", "error_groups",
              "error_groups_left_out"]
HISTORY_KEYS = STATUS_KEYS[:STATUS_KEYS.index("last_sequence")] + ["checkpoints", "interruptions", "interruptions_by", "first_sequence", "last_sequence", "stats", "reset"
                                   ] + STATUS_KEYS[STATUS_KEYS.index("roots"):STATUS_KEYS.index("time_left_s")]
RFC3339_NS = r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z\Z"


class JsonTest(ProgramTest):
    def test_status_has_all_its_fields_whatever_the_state(self):
        self.start("--total", "10")
        status = self.json("status")
        self.assertEqual(list(status), STATUS_KEYS)
        for key in ("started_at", "updated_at"):
            self.assertRegex(status[key], RFC3339_NS)
        self.text("complete")
        self.assertRegex(self.json("status")["completed_at"], RFC3339_NS)
        self.text("clear")
        status = self.json("status")
        self.assertEqual(list(status), STATUS_KEYS)
        self.assertRegex(status.pop("last_hash"), r"\A[0-9a-f]{16}\Z")
        self.assertEqual({key: value for key, value in status.items() if value is not None},
                         {"status": "idle", "interrupted": False, "files_processed": 0, "batch_num": 0,
                          "error_count": 0, "file_errors": 0, "rate": 0.0, "recent_rate": 0.0, "active_s": 0.0, "paused_s": 0.0,
                          "clock_steps": 0, "epoch": 1, "last_sequence": 3, "durable_sequence": 3,
                          "stored_sequence": 3, "roots": [], "metadata": {},
                          "recovery": {"events_from_tail": 0, "frames_discarded": 0, "events_lost": 0,
                                       "events_in_doubt": 0, "last_writer": "closed_without_end"}})

    def test_history_lists_every_operation_and_the_newest_first(self):
        first = self.start()
        self.text("checkpoint", "--files", "3")
        self.text("complete", "--stat", "n=1")
        second = self.start()
        self.text("reset")
        third = self.start("--type", "recovery")
        history = self.json_lines("history")
        for entry in history:
            self.assertEqual(list(entry), HISTORY_KEYS)
        self.assertEqual([entry["operation_id"] for entry in history], [third, second, first])
        self.assertEqual([entry["reset"] for entry in history], [None, 5, None])
        self.assertEqual([entry["checkpoints"] for entry in history], [0, 0, 1])
        self.assertEqual([entry["first_sequence"] for entry in history], [6, 4, 1])
        table = self.text("history").splitlines()
        self.assertEqual([line.split()[0] for line in table], ["OPERATION", third, second, first])

    def test_show_has_the_events_in_short(self):
        operation = self.start()
        self.text("checkpoint", "--files", "3", "--error", "no entry", "--error-path", "/a")
        self.text("checkpoint", "--files", "4")
        self.text("complete")
        shown = self.json("show")
        self.assertEqual(list(shown), HISTORY_KEYS + ["events", "milestones", "errors"] + STORY_KEYS)
        self.assertEqual(shown["events"], {"started": 1, "checkpoint": 2, "completed": 1})
        self.assertEqual([event["kind"] for event in shown["milestones"]], ["started", "completed"])
        self.assertEqual(shown["errors"][0]["error"], {"path": "/a", "error": "no entry"})
        self.text("clear")
        self.refused("show")
        self.assertEqual(self.json("show", operation)["status"], "completed")
        self.assertIn("nobody", self.refused("show", "nobody"))

    def test_names_of_any_bytes_make_the_round_trip(self):
        name = WEIRD_NAME + bytes(range(1, 256))
        self.text("start", "--root", name, "--meta", name.replace(b"=", b"") + b"=" + name)
        self.text("checkpoint", "--files", "1", "--path", name, "--last", name, "--error", name, "--error-path", name)
        status = self.json("status")
        for value in (status["roots"][0], status["metadata"][os.fsdecode(name.replace(b"=", b""))],
                      status["current_path"], status["last_processed_file"]):
            self.assertEqual(os.fsencode(value), name)
        event = self.json_lines("events", "--kind", "checkpoint")[0]
        self.assertEqual(os.fsencode(event["error"]["path"]), name)
        self.assertEqual(os.fsencode(event["error"]["error"]), name)


class EventsTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.first = self.start()
        for files in range(1, 4):
            self.text("checkpoint", "--files", str(files))
        self.text("complete")
        self.second = self.start()
        self.text("checkpoint", "--files", "1")
        self.text("pause")

    def sequences(self, *args):
        return [event["sequence"] for event in self.json_lines("events", *args)]

    def test_all_events_come_in_order(self):
        self.assertEqual(self.sequences(), list(range(1, 9)))
        for event in self.json_lines("events"):
            self.assertEqual(list(event)[:5], ["sequence", "time", "epoch", "kind", "operation_id"])
            self.assertRegex(event["time"], RFC3339_NS)

    def test_filters_choose_by_number_operation_and_kind(self):
        self.assertEqual(self.sequences("--from", "3", "--to", "5"), [3, 4, 5])
        self.assertEqual(self.sequences("--from", "0", "--to", "1"), [1])
        self.assertEqual(self.sequences("--to", "0"), [])
        self.assertEqual(self.sequences("--operation", self.second), [6, 7, 8])
        self.assertEqual(self.sequences("--operation", self.first, "--from", "4"), [4, 5])
        self.assertEqual(self.sequences("--kind", "checkpoint"), [2, 3, 4, 7])
        self.assertEqual(self.sequences("--kind", "completed", "--kind", "paused"), [5, 8])
        self.assertEqual(self.sequences("--operation", self.first, "--kind", "checkpoint", "--to", "3"), [2, 3])

    def test_behind_the_end_there_is_nothing_yet(self):
        self.assertEqual(self.sequences("--from", "9"), [])
        self.assertEqual(self.sequences("--from", "1000000"), [])
        self.assertEqual(self.text("events", "--from", "9"), "")

    def test_an_operation_that_is_not_there_is_refused(self):
        self.assertIn("nobody", self.refused("events", "--operation", "nobody"))
        self.assertIn(self.first, self.refused("events", "--operation", self.first, "--from", "6"))

    def test_people_get_one_line_an_event(self):
        lines = self.text("events").splitlines()
        self.assertEqual(len(lines), 8)
        self.assertRegex(lines[1], r"\A +2  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z  checkpoint +1 files\Z")


    def test_hash_of_the_last_event_is_that_of_the_log(self):
        events = self.json_lines("events", "--hash")
        for event in events:
            self.assertRegex(event["hash"], r"\A[0-9a-f]{16}\Z")
        self.assertEqual(len({event["hash"] for event in events}), 8)
        self.assertEqual(self.json("status")["last_hash"], events[-1]["hash"])
        self.assertIn(events[-1]["hash"], self.text("status"))
        self.assertIn(events[3]["hash"], self.text("events", "--hash").splitlines()[3])
        self.assertNotIn("hash", self.json_lines("events")[0])

    def test_history_may_be_without_its_heading(self):
        lines = self.text("history").splitlines()
        self.assertEqual(self.text("history", "--no-header").splitlines(), lines[1:])


class ClockTest(ProgramTest):
    def test_every_event_tells_its_boot(self):
        self.start()
        self.text("checkpoint", "--files", "1")
        started, checkpoint = self.json_lines("events")
        self.assertEqual(started["boot"], checkpoint["boot"])
        self.assertRegex(started["booted_at"], RFC3339_NS)
        self.assertNotIn("clock_step_s", checkpoint)

    def test_another_time_namespace_is_no_other_clock(self):
        self.start()
        unshare = ["unshare", "--time", "--fork", "--boottime", "1000000", "--monotonic", "1000000"]
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("only root may have a time namespace")
        subprocess.run([*unshare, self.program, "checkpoint", "--files", "1", "--log", self.log], check=True)
        self.text("complete")
        status = self.json("status")
        self.assertEqual(status["clock_steps"], 0)
        self.assertLess(status["active_s"], 1000)


class FollowTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.start()

    def follow(self, *args):
        return self.spawn("events", "--follow", "--json", *args)

    def next_event(self, process):
        return json.loads(process.stdout.readline())

    def test_new_events_appear_as_they_are_appended(self):
        follower = self.follow()
        self.assertEqual(self.next_event(follower)["kind"], "started")
        for files in range(1, 4):
            self.text("checkpoint", "--files", str(files))
            self.assertEqual(self.next_event(follower)["files_processed"], files)
        follower.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(follower), (0, "", ""))

    def test_it_waits_for_events_that_are_still_to_come(self):
        follower = self.follow("--from", "3", "--kind", "checkpoint")
        self.text("checkpoint", "--files", "1")
        self.text("checkpoint", "--files", "2")
        self.assertEqual(self.next_event(follower)["sequence"], 3)
        follower.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(follower), (0, "", ""))

    def test_it_ends_at_the_last_event_asked_for(self):
        follower = self.follow("--to", "2")
        self.text("checkpoint", "--files", "1")
        status, out, err = self.finish(follower)
        self.assertEqual((status, len(out.splitlines()), err), (0, 2, ""))

    def test_it_ends_quietly_when_nobody_reads_any_more(self):
        follower = self.follow()
        self.next_event(follower)
        follower.stdout.close()
        self.assertEqual(follower.wait(cli_support.TIMEOUT_S), 0)
        self.assertEqual(follower.stderr.read(), b"")

    def test_a_second_signal_ends_it_at_once(self):
        self.text("fail", "--error", "x" * 100000)  # more than a pipe holds, so it waits for its reader
        follower = self.follow()
        wait_for(lambda: self.is_full(follower.stdout), "the follower to fill its pipe")
        follower.send_signal(signal.SIGINT)
        self.caught_first_signal(follower.pid)
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(cli_support.TIMEOUT_S), -signal.SIGINT)

    @staticmethod
    def is_full(pipe):
        waiting = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
        return waiting == fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)

    @staticmethod
    def caught_first_signal(pid):
        def handler_gone():
            with open("/proc/%d/status" % pid) as file:
                caught = next(line for line in file if line.startswith("SigCgt"))
            return not int(caught.split()[1], 16) & 1 << signal.SIGINT - 1

        wait_for(handler_gone, "the first signal to be handled")


class OutputTest(ProgramTest):
    def test_a_reader_that_goes_away_is_no_error(self):
        self.start("--meta", "filler=" + "x" * 100000)
        for command in ("events", "status", "history", "show"):
            process = self.spawn(command)
            process.stdout.close()
            self.assertEqual(process.wait(cli_support.TIMEOUT_S), 0)
            self.assertEqual(process.stderr.read(), b"")

    def test_an_answer_that_cannot_be_written_is_an_error(self):
        self.start()
        with open("/dev/full", "w") as full:
            done = subprocess.run([self.program, "status", "--log", self.log], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot be written", done.stderr)

    def test_a_closed_standard_output_does_not_end_up_in_the_log(self):
        command = '"$0" start --owner-pid $$ --log "$1" >&- 2>&- <&-; "$0" events --log "$1" >&-'
        subprocess.run(["sh", "-c", command, self.program, self.log], check=True)
        self.assertEqual([event["kind"] for event in self.json_lines("events")], ["started"])

    def test_people_never_get_raw_control_bytes(self):
        self.text("start", "--root", WEIRD_NAME, "--meta", WEIRD_NAME.replace(b"=", b"") + b"=" + WEIRD_NAME)
        operation = self.json("status")["operation_id"]
        self.text("checkpoint", "--files", "1", "--path", WEIRD_NAME, "--last", WEIRD_NAME, "--error", WEIRD_NAME)
        self.text("pause", "--reason", WEIRD_NAME)
        outputs = [self.foldlog("status").stdout]
        self.text("resume", "--reason", WEIRD_NAME)
        self.text("complete", "--stat", WEIRD_NAME.replace(b"=", b"") + b"=" + WEIRD_NAME)
        outputs += [self.foldlog("show", operation).stdout]
        self.text("start")
        self.text("fail", "--error", WEIRD_NAME)
        outputs += [self.foldlog(command).stdout for command in ("status", "history", "show", "events")]
        for args in (["show", WEIRD_NAME], ["events", "--kind", WEIRD_NAME], ["events", "--operation", WEIRD_NAME],
                     ["checkpoint", WEIRD_NAME, "--files", "1"], [WEIRD_NAME], ["start", "--type", WEIRD_NAME],
                     ["checkpoint", "--files", WEIRD_NAME], [b"--" + WEIRD_NAME], ["status", WEIRD_NAME],
                     ["index", WEIRD_NAME, "--catalog", WEIRD_NAME]):
            done = self.run_raw(*args, "--log", self.log)
            self.assertIn(done.returncode, (1, 2))
            outputs.append(done.stderr)
        outputs.append(self.run_raw("status", "--log", WEIRD_NAME).stderr)
        for output in outputs:
            self.assertNotEqual(output, b"")
            self.assert_safe(output)


class WriterAtWorkTest(ProgramTest):
    def test_queries_answer_while_another_process_writes(self):
        indexer = self.stopped_indexer()
        status = self.json("status")
        self.assertEqual((status["status"], status["interrupted"], status["evidence"]), ("in_progress", False, None))
        self.assertEqual(status["writer"]["pid"], indexer.pid)
        self.assertEqual(status["owner"]["pid"], indexer.pid)
        self.assertTrue(status["owner"]["holds_log"])
        self.assertEqual(len(self.json_lines("events")), status["last_sequence"])
        self.assertEqual(self.json_lines("history")[0]["files_processed"], status["files_processed"])
        self.assertEqual(self.json("show")["operation_id"], status["operation_id"])
        self.assertIn("process %d" % indexer.pid, self.text("status"))

    def test_a_second_writer_is_refused_and_told_who_holds_the_log(self):
        indexer = self.stopped_indexer()
        for command in (["start"], ["checkpoint", "--files", "1"], ["pause"], ["reset"], ["index"]):
            message = self.refused(*command)
            self.assertIn("process %d" % indexer.pid, message)
            self.assertIn(self.log, message)

    def test_a_writer_that_was_killed_leaves_an_interrupted_operation(self):
        indexer = self.stopped_indexer()
        indexer.kill()
        indexer.wait()
        status = self.json("status")
        self.assertEqual((status["status"], status["interrupted"], status["evidence"], status["writer"]),
                         ("in_progress", True, "process_died", None))

    def test_what_is_missing_at_the_end_is_said_whatever_is_asked(self):
        indexer = self.stopped_indexer()
        indexer.send_signal(signal.SIGCONT)
        wait_for(lambda: self.json("status")["durable_sequence"] > 10, "some events to be durable")
        indexer.kill()
        indexer.wait()
        with open(os.path.join(self.log, "tail"), "r+b") as tail:
            damaged = tail.read().replace(b"file0", b"fileX")
            tail.seek(0)
            tail.write(damaged)
        for args in (["history", "-n", "1"], ["events", "--reverse", "-n", "1"], ["errors"]):
            done = self.run_raw(*args, "--log", self.log)
            self.assertEqual(done.returncode, 3, args)
            self.assertRegex(done.stderr, rb"events \d+ to \d+ were durable and are missing")
            self.assertNotEqual(done.stdout, b"", args)  # what is there is shown
        missing = self.run_raw("status", "--log", self.log, "--json").stdout
        last = json.loads(missing)["missing_through"]
        self.assertIn("are missing", self.refused("at", str(last), status=3))
        self.assertIn("does not exist", self.refused("at", str(last + 1)))


if __name__ == "__main__":
    cli_support.main()
