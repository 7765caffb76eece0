"""A table, commands by situations: what only reads a log or a file creates, changes and removes nothing there."""

import hashlib
import os
import shutil
import signal
import subprocess
import unittest

import cli_support
from cli_support import ProgramTest, wait_for

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

# Whoever runs the command, by what stands before it; {} is the directory of the log.
READERS = {
    "the owner": (),
    "another user": AS_NOBODY,
    "a read-only mount": ("unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
                          '! touch "$0/x" 2>/dev/null && exec "$@"', "{}"),
}

COMMANDS = (
    ("status",), ("status", "--json"), ("history",), ("history", "--json"), ("show", "OPERATION"),
    ("errors",), ("errors", "--paths"), ("diff", "OPERATION", "OPERATION"),
    ("events",), ("events", "--beyond-damage"), ("salvage", "--dry-run"),
    ("events", "--json", "--kind", "started"), ("project", "--json"), ("project", "--json", "--at", "1"),
    ("project", "--check", "--sqlite", "MIRROR"), ("backup", "-"),
    ("prune", "--keep-runs", "0", "--dry-run"), ("retention",), ("retention", "--json"),
)


class OnlyReadsTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.place = os.path.join(self.dir, "place")
        os.mkdir(self.place)
        for directory in (self.dir, self.place):
            os.chmod(directory, 0o755)
        self.log = os.path.join(self.place, "log")
        self.mirror = os.path.join(self.place, "state.db")

    def make_closed_log(self):
        self.operation = self.start("--total", "9").split("@")[0]
        self.text("checkpoint", "--files", "3")
        self.text("project", "--sqlite", self.mirror)

    def make_log_of_a_killed_indexer(self):
        indexer = self.stopped_indexer(args=("--mirror", self.mirror))
        self.operation = self.json("status")["operation_id"]
        indexer.send_signal(signal.SIGCONT)
        shown = 'foldlog_mirror'.encode()
        wait_for(lambda: shown in open_bytes(self.mirror), "the mirror")
        indexer.kill()
        indexer.wait()
        self.run_raw("project", "--sqlite", self.mirror, "--log", self.log)

    def make_log_of_a_stopped_writer(self):
        indexer = self.stopped_indexer()
        self.operation = self.json("status")["operation_id"]
        self.text("project", "--sqlite", self.mirror)
        return indexer

    SITUATIONS = ("closed_log", "log_of_a_killed_indexer", "log_of_a_stopped_writer")

    def traces(self):
        """All that could be seen of a change, but the times of reading."""
        seen = {}
        for directory, directories, files in os.walk(self.place):
            for name in (".", *files):
                path = os.path.normpath(os.path.join(directory, name))
                info = os.lstat(path)
                content = b"" if name == "." else hashlib.sha256(open_bytes(path)).digest()
                seen[path] = (info.st_mode, info.st_uid, info.st_gid, info.st_ino, info.st_nlink, info.st_size,
                              info.st_mtime_ns, info.st_ctime_ns, content)
        return seen

    def check(self, situation):
        for reader, prefix in READERS.items():
            prefix = [self.place if word == "{}" else word for word in prefix]
            for command in COMMANDS:
                words = [{"OPERATION": self.operation, "MIRROR": self.mirror}.get(word, word) for word in command]
                with self.subTest(situation=situation, reader=reader, command=" ".join(command)):
                    before = self.traces()
                    done = subprocess.run([*prefix, self.program, *words, "--log", self.log], capture_output=True,
                                          env=self.env, timeout=cli_support.TIMEOUT_S)
                    after = self.traces()
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(sorted(before), sorted(after))
                    self.assertEqual([path for path in before if before[path] != after[path]], [])

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be two users and to mount")
    def test_nothing_that_only_reads_leaves_a_trace(self):
        for situation in self.SITUATIONS:
            shutil.rmtree(self.place)
            os.mkdir(self.place)
            os.chmod(self.place, 0o755)
            shutil.rmtree(os.path.join(self.dir, "tree"), ignore_errors=True)
            writer = getattr(self, "make_" + situation)()
            self.check(situation)
            if writer:
                writer.kill()
                writer.wait()

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be two users and to mount")
    def test_what_writes_leaves_one(self):
        """The control: these eyes see what there is to be seen."""
        self.make_closed_log()
        before = self.traces()
        self.text("checkpoint", "--files", "4")
        self.text("project", "--sqlite", self.mirror)
        after = self.traces()
        changed = {os.path.basename(path) for path in before if before[path] != after.get(path)}
        self.assertLessEqual({"tail", "state.db"}, changed)


def open_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


if __name__ == "__main__":
    cli_support.main()
