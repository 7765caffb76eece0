"""Questions about the past: history, events, at, project --at and show, with all their filters."""

import csv
import datetime
import io
import json

import cli_support
from cli_support import ProgramTest, WEIRD_NAME


class PastTest(ProgramTest):
    """A log with a completed operation (events 1 to 5), one that failed (6 to 8), and one that is paused (9 to 11)."""

    def setUp(self):
        super().setUp()
        self.first = self.start("--type", "initial", "--root", "/photos", "--meta", "what=nightly")
        self.text("checkpoint", "--files", "1", "--last", "/photos/a.jpg")
        self.text("checkpoint", "--files", "2", "--last", "/photos/b.jpg", "--error", "no entry", "--error-path", "/c")
        self.text("checkpoint", "--files", "3", "--path", "/music/x")
        self.text("complete")
        self.second = self.start("--type", "incremental")
        self.text("checkpoint", "--files", "7")
        self.text("fail", "--error", "disk, \"gone\"\nfor good")
        self.third = self.start("--type", "incremental", "--root", "/videos")
        self.text("checkpoint", "--files", "1", "--last", "/videos/1")
        self.text("pause", "--reason", "backup")

    def time_of(self, sequence):
        return self.json_lines("events", "--from", str(sequence), "--to", str(sequence))[0]["time"]

    def csv(self, *args):
        text = self.foldlog(*args, "--csv").stdout.decode()
        self.assertTrue(text.endswith("\r\n"))
        return list(csv.reader(io.StringIO(text, newline="")))


class HistoryTest(PastTest):
    def ids(self, *args):
        return [entry["operation_id"] for entry in self.json_lines("history", *args)]

    def test_the_newest_comes_first(self):
        self.assertEqual(self.ids(), [self.third, self.second, self.first])
        self.assertEqual(self.ids("--reverse"), [self.first, self.second, self.third])
        self.assertEqual(self.ids("-n", "2"), [self.third, self.second])
        self.assertEqual(self.ids("--limit", "1", "--reverse"), [self.first])
        self.assertEqual(self.ids("-n", "0"), [])
        self.assertEqual(self.text("history", "-n", "0"), "")

    def test_filters_choose_operations(self):
        for args, expected in ((["--type", "initial"], [self.first]),
                               (["--status", "failed"], [self.second]),
                               (["--status", "failed,paused"], [self.third, self.second]),
                               (["--status", "completed", "--status", "failed"], [self.second, self.first]),
                               (["--min-errors", "1"], [self.second, self.first]),
                               (["--min-errors", "2"], []),
                               (["--interrupted"], []),
                               (["--name", "photos"], [self.first]),
                               (["--name", self.second[3:20]], [self.second]),
                               (["--meta", "what=nightly"], [self.first]),
                               (["--meta", "what=else"], []),
                               (["--since", self.time_of(9)], [self.third]),
                               (["--until", self.time_of(6)], [self.first]),
                               (["--since", self.time_of(7), "--until", self.time_of(8)], [self.second]),
                               (["--since", "7d"], [self.third, self.second, self.first]),
                               (["--until", "yesterday"], [])):
            self.assertEqual(self.ids(*args), expected, args)

    def test_interruptions_are_found(self):
        owner = self.sleeper()
        self.text("reset")
        fourth = self.start("--owner-pid", str(owner.pid))
        owner.kill()
        owner.wait()
        self.assertEqual(self.ids("--interrupted"), [fourth])  # nobody has resumed it yet
        self.text("resume")
        self.assertEqual(self.ids("--interrupted"), [fourth])
        totals = self.json("history", "--totals")
        self.assertEqual((totals["interruptions"], totals["interruptions_by"]["process_died"]), (1, 1))

    def test_tables_have_the_same_operations(self):
        lines = self.text("history").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["OPERATION", self.third, self.second, self.first])
        self.assertEqual(self.text("history", "--no-header").splitlines(), lines[1:])
        self.assertEqual(self.text("history", "--name", "nothing"), 
                         "No operation with --name nothing; \"foldlog history\" lists all.\n")

    def test_csv_has_the_fields_of_json(self):
        header, *rows = self.csv("history")
        self.assertEqual(len(rows), 3)
        for row, entry in zip(rows, self.json_lines("history")):
            for name, cell in zip(header, row):
                value = entry[name]
                text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
                self.assertEqual(cell, text, name)
        self.assertEqual(self.csv("history", "--no-header"), rows)

    def test_totals_sum_up_what_the_filter_lets_pass(self):
        totals = self.json("history", "--totals")
        self.assertEqual(list(totals), ["operations", "by_status", "files", "errors", "error_rate", "active_s", "paused_s",
                                        "interruptions", "interruptions_by"])
        self.assertEqual(totals["by_status"], {"in_progress": 0, "paused": 1, "completed": 1, "failed": 1, "reset": 0})
        self.assertEqual((totals["operations"], totals["files"], totals["errors"]), (3, 11, 2))
        self.assertEqual(self.json("history", "--totals", "--status", "failed")["files"], 7)
        text = self.text("history", "--totals")
        self.assertIn("Operations     3: 1 paused, 1 completed, 1 failed\n", text)
        self.assertIn("Errors         2 (18.2 % of files)\n", text)
        self.refused("history", "--totals", "--csv", status=2)

    def test_what_was_reset_is_a_status_of_its_own(self):
        self.text("reset")
        self.assertEqual(self.ids("--status", "reset"), [self.third])
        self.assertEqual(self.ids("--status", "reset,failed"), [self.third, self.second])
        self.assertEqual(self.ids("--status", "paused"), [])
        by_status = {"in_progress": 0, "paused": 0, "completed": 1, "failed": 1, "reset": 1}
        self.assertEqual(self.json("history", "--totals")["by_status"], by_status)
        self.assertIn("Operations     3: 1 completed, 1 failed, 1 reset\n", self.text("history", "--totals"))

    def test_errors_are_the_same_number_everywhere(self):
        """A failure counts, in what people and in what programs are shown."""
        total = self.json("history", "--totals")["errors"]
        self.assertEqual(total, sum(entry["error_count"] for entry in self.json_lines("history")))
        self.assertEqual(total, self.json("sql", "SELECT sum(errors) AS n FROM runs")["n"])
        counts = [entry["error_count"] for entry in self.json_lines("history")]
        header, *rows = self.csv("history")
        self.assertEqual([int(row[header.index("error_count")]) for row in rows], counts)
        self.assertIn("Errors         1\n", self.text("show", self.second))


class EventsTest(PastTest):
    def sequences(self, *args):
        return [event["sequence"] for event in self.json_lines("events", *args)]

    def test_filters_choose_events(self):
        for args, expected in ((["--kind", "failed,paused"], [8, 11]),
                               (["--kind", "failed", "--kind", "paused,started"], [1, 6, 8, 9, 11]),
                               (["--errors"], [3, 8]),
                               (["--path", "/photos/"], [2, 3]),
                               (["--path", "/c"], [3]),
                               (["--grep", "b.jpg"], [3]),
                               (["--grep", "entry"], [3]),
                               (["--grep", "gone"], [8]),
                               (["--grep", "backup"], [11]),
                               (["--grep", "/videos"], [9, 10]),
                               (["--grep", "nothing like it"], []),
                               (["--since", self.time_of(9)], [9, 10, 11]),
                               (["--until", self.time_of(3)], [1, 2]),
                               (["--since", self.time_of(3), "--until", self.time_of(5)], [3, 4]),
                               (["--since", self.time_of(3), "--until", self.time_of(3)], []),
                               (["--since", "3h", "-n", "2"], [1, 2]),
                               (["--until", "today", "--since", "yesterday"], []),
                               (["--operation", "last"], [9, 10, 11]),
                               (["--operation", "active", "--kind", "paused"], [11]),
                               (["--operation", "last~2", "--errors"], [3]),
                               (["--operation", self.second[:12]], [6, 7, 8])):
            self.assertEqual(self.sequences(*args), expected, args)
            if "-n" not in args:
                self.assertEqual(self.sequences(*args, "--reverse"), expected[::-1], args)

    def test_reversed_the_limit_counts_from_the_end(self):
        self.assertEqual(self.sequences("--reverse", "-n", "3"), [11, 10, 9])
        self.assertEqual(self.sequences("-n", "3"), [1, 2, 3])
        self.assertEqual(self.sequences("--limit", "0"), [])
        self.assertEqual(self.sequences("--grep", "jpg", "-n", "1", "--reverse"), [3])

    def test_a_range_that_is_upside_down_is_wrong_usage(self):
        self.assertIn("upside down: --from 3 is behind --to 2", self.refused("events", "--from", "3", "--to", "2", status=2))
        for command in ("events", "history"):
            self.assertIn("upside down", self.refused(command, "--since", "1d", "--until", "2d", status=2))
            self.assertIn("--since: \"tomorrow\" is no time; one is 2026-11-01",
                          self.refused(command, "--since", "tomorrow", status=2))

    def test_times_are_local_unless_utc_is_asked_for(self):
        time = datetime.datetime.fromisoformat(self.time_of(9)[:19] + "+00:00")
        here = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
        self.env["TZ"] = "Asia/Kolkata"
        local = time.astimezone(here).strftime("%Y-%m-%d %H:%M:%S")
        self.assertIn(9, self.sequences("--since", local))
        utc = time.strftime("%Y-%m-%d %H:%M:%S")
        self.assertIn(9, self.sequences("--since", utc, "--utc"))
        self.assertEqual(self.sequences("--until", utc), [])
        shown = self.text("events", "--from", "9", "--to", "9").split("  started")[0].split("  ")[-1]
        self.assertIn(9, self.sequences("--since", shown))

    def test_each_event_is_the_same_in_every_selection(self):
        whole = {event["sequence"]: event for event in self.json_lines("events", "--hash")}
        for args in (["--reverse"], ["--errors"], ["--operation", "last", "--reverse"], ["--from", "7"]):
            for event in self.json_lines("events", "--hash", *args):
                self.assertEqual(event, whole[event["sequence"]])

    def test_csv_can_be_read_back(self):
        header, *rows = self.csv("events", "--hash")
        events = self.json_lines("events", "--hash")
        self.assertEqual(len(rows), 11)
        for row, event in zip(rows, events):
            cells = dict(zip(header, row))
            error = event.get("error", {})
            event.update(error_path=error.get("path", ""), error=error.get("error", ""))
            for name in header:
                self.assertEqual(cells[name], str(event.get(name, "")), name)
        self.assertEqual(rows[7][header.index("failure")], "disk, \"gone\"\nfor good")
        self.refused("events", "--csv", "--json", status=2)

    def test_follow_takes_the_filters(self):
        follower = self.spawn("events", "--follow", "--json", "--operation", "last", "--kind", "resumed,completed",
                              "-n", "2")
        self.text("resume")
        self.text("checkpoint", "--files", "2")
        self.text("complete")
        status, out, err = self.finish(follower)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([json.loads(line)["kind"] for line in out.splitlines()], ["resumed", "completed"])
        self.refused("events", "--follow", "--reverse", status=2)


class AtTest(PastTest):
    def test_state_and_row_are_as_they_were(self):
        at = self.json("at", "3")
        self.assertEqual((at["sequence"], at["operation_id"], at["status"], at["files_processed"], at["file_errors"]),
                         (3, self.first, "in_progress", 2, 1))
        self.assertEqual(at["time"], self.time_of(3))
        self.assertEqual(at["row"], json.loads(self.text("project", "--json", "--at", "3")))
        self.assertEqual(json.loads(at["row"]["checkpoint_data"])["files_processed"], 2)
        self.assertEqual(self.json("at", "11")["pause_reason"], "backup")
        self.refused("at", "12")

    def test_a_time_means_the_last_event_before_it(self):
        for sequence in (3, 8, 11):
            self.assertEqual(self.json("at", self.time_of(sequence))["sequence"], sequence)
            self.assertEqual(self.json("project", "--at", self.time_of(sequence)), self.json("at", str(sequence))["row"])
        self.assertEqual(self.json("at", "now")["sequence"], 11)
        before = self.json("at", "1d")
        self.assertEqual((before["sequence"], before["status"], before["time"], before["row"]), (0, "idle", None, None))
        self.assertEqual(list(before), list(self.json("at", "3")))

    def test_people_are_shown_the_same(self):
        text = self.text("at", "3", "--utc")
        self.assertRegex(text, r"\AAfter          event 3, \d{4}-.+ UTC\nOperation      %s \(initial\)\n" % self.first)
        self.assertIn("\nStatus         in progress\n", text)
        self.assertIn("\nRow            operation_type   initial\n", text)
        self.assertIn("Status         idle\n", self.text("at", "1d"))

    def test_what_is_no_place_is_wrong_usage(self):
        for place in ("tomorrow", "3.5", "", "99999999999999999999999"):
            self.refused("at", place, status=2)
            self.refused("project", "--json", "--at", place, status=2)
        self.refused("at", status=2)


class ShowTest(PastTest):
    def test_an_operation_may_be_named_in_many_ways(self):
        for name, operation in (("last", self.third), ("last~1", self.second), ("last~2", self.first),
                                ("active", self.third), (self.second, self.second), (self.second[:13], self.second),
                                (self.third + "@3", self.third)):
            self.assertEqual(self.json("show", name)["operation_id"], operation, name)
        self.refused("show", "last~3")
        self.refused("show", "nobody")
        self.text("reset")
        self.refused("show", "active")
        self.assertIn("last", self.refused("show"))

    def test_a_reset_is_part_of_the_story(self):
        self.text("reset", "--reason", "wrong disk")
        story = self.json("show", "last")
        self.assertEqual((story["events"]["reset"], story["milestones"][-1]["sequence"], story["reset"]), (1, 12, 12))
        self.assertRegex(self.text("show", "last"), r"Events +9 to 12: [^\n]*1 reset\n(.*\n)* +12 .* reset +wrong disk\n")
        self.assertIn("no operation is active", self.refused("events", "--operation", "active"))

    def test_hostile_names_are_harmless_everywhere(self):
        self.text("checkpoint", "--files", "2", "--path", WEIRD_NAME, "--error", WEIRD_NAME)
        for args in (["at", "12"], ["events", "--path", WEIRD_NAME], ["events", "--grep", WEIRD_NAME, "--reverse"]):
            output = self.foldlog(*args).stdout
            self.assertNotEqual(output, b"")
            self.assert_safe(output)
        for args in (["at", WEIRD_NAME], ["events", "--since", WEIRD_NAME], ["history", "--status", WEIRD_NAME],
                     ["show", WEIRD_NAME]):
            self.assert_safe(self.run_raw(*args, "--log", self.log).stderr)


if __name__ == "__main__":
    cli_support.main()
