"""What the program is like to use: help, mistyped words, terminals, pagers, colours and time zones."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import cli_support
from cli_support import ProgramTest, WEIRD_NAME, wait_for

SGR = re.compile(r"\x1b\[[0-9;]*m")


class TerminalTest(ProgramTest):
    """Runs the program on a pseudo terminal."""

    def setUp(self):
        super().setUp()
        self.env["TERM"] = "xterm"

    def terminal(self, columns=80):
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.addCleanup(os.close, controller)
        return controller, terminal

    @staticmethod
    def read_all(controller, process):
        """What arrives until the program has ended."""
        seen = b""
        deadline = time.monotonic() + cli_support.TIMEOUT_S
        while time.monotonic() < deadline:
            ready = select.select([controller], [], [], 0.05)[0]
            if ready:
                try:
                    part = os.read(controller, 65536)
                except OSError:  # nobody has the terminal open any more
                    break
                if not part:
                    break
                seen += part
            elif process.poll() is not None and not select.select([controller], [], [], 0)[0]:
                break  # what it wrote last may have come behind the first look
        process.wait(cli_support.TIMEOUT_S)
        return seen.replace(b"\r\n", b"\n")

    def on_terminal(self, *args, columns=80, status=0, **env):
        """What a person sees of a command, and the exit status."""
        controller, terminal = self.terminal(columns)
        process = self.spawn(*args, env={**self.env, **env}, stdin=terminal, stdout=terminal, stderr=terminal)
        os.close(terminal)
        seen = self.read_all(controller, process)
        self.assertEqual(process.returncode, status, seen)
        return seen

    def plain(self, *args, **options):
        return self.on_terminal(*args, PAGER="cat", NO_COLOR="1", **options).decode()


class HelpTest(ProgramTest):
    def commands(self):
        text = self.run_raw("--help").stdout.decode()
        return re.findall(r"^  ([a-z]+) ", text[text.index("\nRun:"):text.index("\nExit status")], re.MULTILINE)

    def test_no_line_is_wider_than_a_terminal(self):
        for command in ([], *([name] for name in self.commands())):
            for line in self.run_raw(*command, "--help").stdout.decode().splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_commands_are_in_groups(self):
        text = self.run_raw("--help").stdout.decode()
        groups = re.findall(r"^([A-Z]\w+):\n", text, re.MULTILINE)
        self.assertEqual([group for group in groups if group in ("Run", "Look", "Script")], ["Run", "Look", "Script"])
        self.assertLess(text.index("\n  index "), text.index("\nLook:"))
        self.assertLess(text.index("\nScript:"), text.index("\n  checkpoint "))

    def test_help_is_the_same_either_way(self):
        self.assertIn("history", self.commands())
        for command in self.commands():
            if command == "help":
                continue
            asked = self.run_raw("help", command)
            self.assertEqual((asked.returncode, asked.stderr), (0, b""))
            self.assertTrue(asked.stdout.decode().splitlines()[1].startswith("Usage: foldlog " + command))
            self.assertEqual(asked.stdout, self.run_raw(command, "--help").stdout)
        for args in (["help"], ["help", "--help"], ["help", "help"]):
            self.assertEqual(self.run_raw(*args).stdout, self.run_raw("--help").stdout)

    def test_version_has_a_short_option(self):
        self.assertRegex(self.run_raw("-V").stdout, rb"\Afoldlog \d+\.\d+\.\d+\n\Z")
        self.assertEqual(self.run_raw("-V").stdout, self.run_raw("--version").stdout)


class MistypedTest(ProgramTest):
    def test_the_nearest_is_named(self):
        for args, meant in ((["histroy"], "history"), (["help", "evnts"], "events"), (["sta"], "status or start"),
                            (["history", "--jsno"], "--json"), (["events", "--form=3"], "--from"),
                            (["status", "--no-pagr"], "--no-pager"), (["events", "--kind", "faild"], "failed")):
            message = self.refused(*args, status=2)
            self.assertIn("did you mean " + meant, message, args)

    def test_nothing_is_guessed_that_is_far_off(self):
        self.assertNotIn("did you mean", self.refused("frobnicate", status=2))
        self.assertNotIn("did you mean", self.refused("events", "--frobnicate", status=2))


class ZoneTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.env["TZ"] = "Asia/Kolkata"
        self.operation = self.start()

    def test_people_get_local_time_with_the_zone_and_programs_utc(self):
        self.assertRegex(self.text("status"), r"Started +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+05:30, ")
        self.assertRegex(self.text("events"), r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+05:30  started")
        self.assertIn("STARTED (+05:30)", self.text("history"))
        self.assertIn("+05:30  started", self.text("show"))
        self.assertRegex(self.json("status")["started_at"], r"Z\Z")

    def test_utc_is_had_for_the_asking(self):
        self.assertRegex(self.text("status", "--utc"), r"Started .+ UTC, ")
        self.assertRegex(self.text("--utc", "events"), r"\.\d{3}Z  started")
        self.assertIn("STARTED (UTC)", self.text("history", "--utc"))


class StallTest(ProgramTest):
    def test_an_operation_that_makes_no_progress_has_an_exit_status(self):
        self.start("--total", "10")
        self.assertIs(self.json("status", "--stalled-after", "1h")["stalled"], False)
        self.assertIsNone(self.json("status")["stalled"])
        wait_for(lambda: self.json("status")["idle_s"] > 1, "a second to pass")
        done = self.run_raw("status", "--stalled-after", "1s", "--log", self.log)
        self.assertEqual((done.returncode, done.stderr), (6, b""))
        self.assertIn(b"\nStalled        no progress for ", done.stdout)
        self.text("checkpoint", "--files", "1")
        self.text("status", "--stalled-after", "1h")
        self.text("complete")
        self.text("status", "--stalled-after", "1s")
        for span in ("5", "5min", "", "-5m", "0s"):
            self.assertIn("90s, 5m, 3h", self.refused("status", "--stalled-after", span, status=2))


class ColourTest(TerminalTest):
    def setUp(self):
        super().setUp()
        self.env["PAGER"] = "cat"
        self.start("--meta", b"weird=" + WEIRD_NAME)
        self.text("checkpoint", "--files", "1", "--error", WEIRD_NAME, "--error-path", WEIRD_NAME)
        self.text("fail", "--error", WEIRD_NAME)

    LOOKS = (["status"], ["history"], ["show"], ["events"])

    def test_failures_are_in_colour_on_a_terminal(self):
        for args in self.LOOKS:
            self.assertIn(b"\x1b[1;31mfailed\x1b[m", self.on_terminal(*args), args)
        self.assertIn(b"\x1b[1;31mcheckpoint\x1b[m", self.on_terminal("events"))
        self.assertIn(b"\x1b[1mOPERATION", self.on_terminal("history"))

    def test_interruptions_are_in_another_colour(self):
        owner = self.sleeper()
        self.start("--owner-pid", str(owner.pid))
        owner.kill()
        owner.wait()
        self.assertIn(b"\x1b[1;33minterrupted\x1b[m", self.on_terminal("history", columns=200))
        self.assertIn(b"\x1b[1;33min progress, but interrupted", self.on_terminal("status"))

    def test_nothing_is_in_colour_elsewhere(self):
        for args in self.LOOKS:
            for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
                self.assertNotIn(b"\x1b", self.on_terminal(*args, **env), (args, env))
            self.assertIn(b"\x1b", self.on_terminal(*args, NO_COLOR=""))
            self.assertNotIn(b"\x1b", self.foldlog(*args).stdout)
            self.assertNotIn(b"\x1b", self.on_terminal(*args, "--json", NO_COLOR="1"))

    def test_no_byte_of_the_log_reaches_the_terminal_unescaped(self):
        for columns in (80, 200):
            for args in self.LOOKS:
                seen = self.on_terminal(*args, columns=columns).decode()
                self.assert_safe(SGR.sub("", seen).encode())
                for sequence in SGR.findall(seen):
                    self.assertIn(sequence, ("\x1b[m", "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m"))


class PagerTest(TerminalTest):
    def setUp(self):
        super().setUp()
        self.start()
        self.pages = os.path.join(self.dir, "pages")

    def paged(self):
        if not os.path.exists(self.pages):
            return None
        with open(self.pages, "rb") as file:
            return file.read()

    def test_lists_go_through_the_pager_with_their_colours(self):
        self.text("fail", "--error", "x")
        for args in (["history"], ["events"], ["show"]):
            self.assertEqual(self.on_terminal(*args, PAGER="cat > " + self.pages), b"")
            self.assertIn(b"\x1b[1;31mfailed\x1b[m", self.paged())
            os.remove(self.pages)
        self.assertNotEqual(self.on_terminal("status", PAGER="cat > " + self.pages), b"")
        self.assertIsNone(self.paged())

    def test_its_own_variable_comes_first(self):
        self.on_terminal("history", PAGER="false", FOLDLOG_PAGER="cat > " + self.pages)
        self.assertIn(b"OPERATION", self.paged())

    def test_there_is_none_where_none_is_wanted(self):
        pager = {"PAGER": "cat > " + self.pages}
        outputs = [self.on_terminal("history", "--no-pager", **pager), self.on_terminal("history", PAGER=""),
                   self.on_terminal("history", PAGER="cat"), self.on_terminal("history", TERM="dumb", **pager),
                   self.foldlog("history", env={**self.env, **pager}).stdout,
                   self.on_terminal("history", PAGER="no-such-pager-here")]
        for output in outputs:
            self.assertIn(b"OPERATION", output)
        self.assertIsNone(self.paged())

    def test_less_is_told_how_to_behave(self):
        self.on_terminal("history", PAGER="echo $LESS $LV > " + self.pages)
        self.assertEqual(self.paged(), b"FRX -c\n")
        self.on_terminal("history", PAGER="echo $LESS > " + self.pages, LESS="M")
        self.assertEqual(self.paged(), b"M\n")

    def test_a_short_answer_does_not_stop_in_less(self):
        seen = self.on_terminal("history", columns=200)
        self.assertIn(b"OPERATION", seen)

    def test_whoever_leaves_the_pager_has_seen_enough(self):
        self.on_terminal("events", PAGER="head -n 1 > " + self.pages)
        self.assertEqual(len(self.paged().splitlines()), 1)

    def test_an_interrupt_is_for_the_pager(self):
        controller, terminal = self.terminal()
        pager = "sh -c 'trap \"\" INT; while ! test -e %s; do sleep 0.01; done; cat > %s'" % (self.pages + ".go", self.pages)
        process = self.spawn("events", env={**self.env, "PAGER": pager}, stdin=terminal, stdout=terminal,
                             stderr=terminal, preexec_fn=lambda: (os.setsid(), fcntl.ioctl(1, termios.TIOCSCTTY, 0)))
        os.close(terminal)
        time.sleep(0.3)
        os.write(controller, b"\x03")
        time.sleep(0.1)
        self.assertIsNone(process.poll())
        with open(self.pages + ".go", "w"):
            pass
        self.read_all(controller, process)
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"started", self.paged())

    def test_errors_come_after_the_pages(self):
        self.assertIn(b"knows no operation nobody",
                      self.on_terminal("events", "--operation", "nobody", status=1, PAGER="cat > " + self.pages))


class WidthTest(TerminalTest):
    def test_tables_fit_the_terminal(self):
        self.text("start", "--total", "123456", "--root", "/" + "\u6570\u636e" * 50)
        self.text("complete")
        self.text("start", "--total", "1")
        for columns in (80, 100, 132):
            for line in self.plain("history", columns=columns).splitlines():
                self.assertLessEqual(len(line), columns, line)
        self.assertIn(self.json("status")["operation_id"], self.plain("history", columns=200))
        self.assertNotIn(self.json("status")["operation_id"], self.plain("history", columns=80))

    def test_columns_of_the_environment_come_first_on_a_terminal(self):
        operation = self.start("--root", "/" + "x" * 300)
        self.text("checkpoint", "--files", "1", "--error", "no entry", "--error-path", "/" + "y" * 300)
        self.text("complete")
        for args in (["history"], ["diff", "last", "last"], ["errors"],
                     ["sql", "SELECT time, operation_id, path FROM errors"]):
            for line in self.plain(*args, columns=200, COLUMNS="60").splitlines():
                self.assertLessEqual(len(line), 60, line)
            self.assertGreater(max(map(len, self.plain(*args, columns=200, COLUMNS="0").splitlines())), 60, args)
        self.env["COLUMNS"] = "60"
        self.assertIn(operation, self.text("history"))  # programs get everything
        self.assertIn("no entry", self.plain("errors", columns=80))

    def test_an_empty_list_says_so_to_people_only(self):
        self.text("start")
        self.assertEqual(self.plain("events", "--kind", "failed", "--grep", "x"), "No event with --kind failed --grep x.\n")
        self.assertEqual(self.plain("events", "-n", "0"), "")
        self.assertEqual(self.text("events", "--kind", "failed"), "")


if __name__ == "__main__":
    cli_support.main()
