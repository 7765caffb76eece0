"""What the tests of the foldlog program share. Each test has a directory of its own, next to the program."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

# Generous, because a sanitized build on a busy machine is slow; nothing waits so long unless something is wrong.
TIMEOUT_S = 120

# What must never reach a terminal from a log: C0 except the newline that ends a line, DEL, C1, separators,
# bidirectional controls.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# A name with all that is hard: a line break, colour, a right-to-left override, C1, and bytes that are no UTF-8.
WEIRD_NAME = b"weird \n\t\x1b[31m\xe2\x80\xae\xc2\x9b\x7f\xff\xc0\xaf\xed\xa0\x80 \\ \" \xc3\xa9 \xf0\x9f\x98\x80"


def wait_for(condition, what):
    """Waits until condition() gives something true, and returns it."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("waited in vain for " + what)


class ProgramTest(unittest.TestCase):
    program = None  # set by main()

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cli_test.", dir=os.path.dirname(self.program))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.log = os.path.join(self.dir, "log")
        self.env = {k: v for k, v in os.environ.items()
                    if k not in ("FOLDLOG", "FOLDLOG_PAGER", "PAGER", "LESS", "NO_COLOR", "TERM", "TZ")}

    def run_raw(self, *args, **options):
        """Runs the program with exactly these arguments."""
        options = {"env": self.env, "stdin": subprocess.DEVNULL, "timeout": TIMEOUT_S, **options}
        return subprocess.run([self.program, *args], capture_output=True, **options)

    def foldlog(self, *args, status=0, **options):
        """Runs a command on the test's log, checks its exit status, and returns the finished process."""
        done = self.run_raw(*args, "--log", self.log, **options)
        self.assertEqual(done.returncode, status, (args, done.stdout, done.stderr))
        if status == 0:
            self.assertEqual(done.stderr, b"")
        else:
            self.assertRegex(done.stderr, rb"\Afoldlog: .+\n\Z")  # one line that names the program
            self.assertEqual(done.stdout, b"")
        return done

    def text(self, *args, **options):
        return self.foldlog(*args, **options).stdout.decode()

    def json(self, *args):
        return json.loads(self.foldlog(*args, "--json").stdout)

    def json_lines(self, *args):
        return [json.loads(line) for line in self.foldlog(*args, "--json").stdout.splitlines()]

    def refused(self, *args, status=1):
        """The message of a command that must not work."""
        return self.foldlog(*args, status=status).stderr.decode()

    def start(self, *args):
        """Starts an operation, and returns its id."""
        return self.start_token(*args).rsplit("@", 1)[0]

    def start_token(self, *args):
        return self.text("start", *args).rstrip("\n")

    def spawn(self, *args, **options):
        """Starts the program on the test's log, and sees to it that it goes when the test ends."""
        options = {"env": self.env, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   **options}
        process = subprocess.Popen([self.program, *args, "--log", self.log], **options)
        self.addCleanup(self._reap, process)
        return process

    @staticmethod
    def _reap(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()

    def sleeper(self):
        """A process to answer for an operation."""
        process = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(self._reap, process)
        return process

    def make_tree(self, files, name=b"tree"):
        """A directory with so many small files."""
        tree = os.path.join(os.fsencode(self.dir), name)
        os.mkdir(tree)
        for number in range(files):
            with open(os.path.join(tree, b"file%05d" % number), "wb") as file:
                file.write(b"%d" % number)
        return os.fsdecode(tree)

    def stopped_indexer(self, files=3000, args=(), **options):
        """An indexer that is part-way, holds the log, and stands still until it gets SIGCONT."""
        tree = self.make_tree(files)
        indexer = self.spawn("index", tree, "--catalog", os.path.join(self.dir, "catalog.db"), "--batch", "1", *args,
                             **options)

        def part_way():
            self.assertIsNone(indexer.poll(), "the indexer ended before it could be stopped")
            done = self.run_raw("status", "--json", "--log", self.log)
            return done.returncode == 0 and json.loads(done.stdout)["files_processed"] > 0

        wait_for(part_way, "progress of the indexer")
        indexer.send_signal(signal.SIGSTOP)
        return indexer

    def finish(self, process):
        """Waits for a spawned process, and returns its exit status and its output."""
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, out.decode(), err.decode()

    def assert_safe(self, output):
        """Nothing in these bytes, meant for people, is obeyed by a terminal."""
        text = output.decode("utf-8")  # and they are UTF-8
        self.assertIsNone(UNSAFE.search(text), repr(text))


class ScriptTest(ProgramTest):
    """Scripts that call the program by its name, on the test's log."""

    def setUp(self):
        super().setUp()
        self.env["PATH"] = os.path.dirname(self.program) + ":" + self.env["PATH"]
        self.env["FOLDLOG"] = self.log

    def script(self, shell, text, name="script"):
        """A script that stands still behind `text`, with the pid of its shell, when it has printed "ready"."""
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\nx=$?\necho ready $x\nread -r line\n")
        command = [shell, "sh", path] if shell == "busybox" else [shell, path]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.env, cwd=self.dir)
        self.addCleanup(process.stdin.close)
        self.addCleanup(self._reap, process)
        return process

    @staticmethod
    def await_ready(process):
        lines = []
        while not lines or not lines[-1].startswith(b"ready"):
            line = process.stdout.readline()
            if not line:
                break
            lines.append(line)
        return b"".join(lines)

    def die(self, process):
        process.kill()
        process.wait()

    def forget(self):
        shutil.rmtree(self.log, ignore_errors=True)
        for name in ("op", "lockfile", "nohup.out"):
            if os.path.exists(os.path.join(self.dir, name)):
                os.remove(os.path.join(self.dir, name))


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: %s PROGRAM [unittest arguments]" % sys.argv[0])
    ProgramTest.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
