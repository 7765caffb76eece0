"""foldlog prune and foldlog retention as people and scripts meet them."""

import os

import cli_support
from cli_support import ProgramTest


class RetentionTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.ids = []
        for number in range(4):
            self.ids.append(self.start("--total", "9").split("@")[0])
            self.foldlog("checkpoint", "--files", "3")
            self.foldlog("complete", "--stat", "number=%d" % number)

    def refused(self, *args):
        done = self.run_raw(*args, "--log", self.log)
        self.assertEqual(done.returncode, 1, done)
        return done.stderr.decode()

    def test_dry_run_says_run_by_run_what_would_go_and_changes_nothing(self):
        said = self.text("prune", "--keep-runs", "2", "--dry-run").splitlines()
        self.assertEqual([line.split()[0] for line in said[1:-1]], self.ids[:3])  # the one at hand is not for choice
        self.assertEqual([" goes " in line for line in said[1:-1]], [True, True, False])
        self.assertRegex(said[-1], r"^would prune 2 operations, 6 events, .*: .* would begin with event 7$")
        self.assertEqual(len(self.text("events").splitlines()), 12)

    def test_history_keeps_what_was_pruned_and_the_rest_says_that_it_was(self):
        before = self.text("history", "--json"), self.text("history", "--totals", "--json")
        self.assertRegex(self.text("prune", "--keep-runs", "2"), r"^pruned 2 operations, 6 events, .* begins with event 7")
        self.assertEqual(before, (self.text("history", "--json"), self.text("history", "--totals", "--json")))
        for args in (("events", "--from", "2"), ("at", "3"), ("events", "--operation", self.ids[0]), ("errors", self.ids[0])):
            self.assertRegex(self.refused(*args), r"event \d was pruned with events 1 to 6, at .* by .*\(keep-runs 2\)", args)
        self.assertIn("pruned", self.text("show", self.ids[0]))
        self.assertNotIn("pruned", self.text("show", self.ids[3]))
        self.assertRegex(self.text("status"), r"Pruned +events 1 to 6, .*: keep-runs 2")
        self.assertRegex(self.text("verify"), r"^sound: 6 events ")
        self.assertEqual(self.text("export", "--jsonl", "-").count("\n"), 8)

    def test_policy_is_stored_shown_applied_by_writers_and_taken_off(self):
        self.assertIn("none: everything stays", self.text("retention"))
        self.assertRegex(self.text("retention", "set", "--keep-runs", "1"), "stored with .*: keep-runs 1; writers prune")
        self.assertRegex(self.text("retention"), r"Policy +keep-runs 1")
        self.assertRegex(self.text("retention"), r"Due +3 of them, 9 events")
        self.start()
        self.foldlog("complete")
        self.assertRegex(self.text("retention"), r"Pruned +events 1 to 9, .* by .*: keep-runs 1")
        self.assertEqual(self.json("retention")["base_sequence"], 9)
        self.assertIn("no policy is stored", self.text("retention", "off"))
        self.assertIsNone(self.json("retention")["policy"])
        self.assertEqual(len(self.text("history", "--json").splitlines()), 5)

    def test_wrong_usage_is_said_to_be(self):
        for wrong in (["prune"], ["prune", "--max-bytes", "1.5G"], ["prune", "--keep-runs", "-1"], ["retention", "sett"],
                      ["prune", "--keep-since", "whenever"], ["retention", "set"], ["retention", "set", "--min-age", "1d"]):
            self.assertEqual(self.run_raw(*wrong, "--log", self.log).returncode, 2, wrong)

    def test_another_writer_is_named(self):
        self.log = os.path.join(self.dir, "indexed")  # progress there is the indexer's
        indexer = self.stopped_indexer()
        self.assertIn("process %d" % indexer.pid, self.refused("prune", "--keep-runs", "1", "--wait", "0"))
        indexer.kill()
        indexer.wait()

    def test_age_wins(self):
        self.assertIn("pruned nothing", self.text("prune", "--max-bytes", "0", "--min-age", "1h"))
        self.assertIn("pruned 3 operations", self.text("prune", "--max-bytes", "0"))

    def test_backup_keeps_what_was_pruned(self):
        backup = os.path.join(self.dir, "backup")
        self.foldlog("backup", backup)
        self.foldlog("prune", "--keep-runs", "2")
        self.foldlog("backup", backup)
        self.assertEqual(self.run_raw("events", "--log", backup).stdout.count(b"\n"), 12)
        self.assertEqual(self.run_raw("history", "--json", "--log", backup).stdout.decode(), self.text("history", "--json"))
        self.assertIn("was pruned up to event 6", self.refused("backup", os.path.join(self.dir, "new")))


if __name__ == "__main__":
    cli_support.main()
