"""Who answers for an operation that a script keeps: told from copies and from who took it over, proven gone or not.

Real shells and processes; what takes a namespace of one's own is skipped for those who may not make one.
"""

import json
import os
import shutil
import signal
import subprocess
import unittest

import cli_support
from cli_support import ScriptTest, wait_for


class FencingTest(ScriptTest):
    STEPS = [["checkpoint", "--files", "5"], ["pause"], ["complete"], ["fail", "--error", "x"]]

    def shell(self):
        """A script that runs the lines that it is sent, and answers each with what it printed, and its exit status."""
        process = subprocess.Popen(["dash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=self.env, cwd=self.dir)
        self.addCleanup(process.stdin.close)
        self.addCleanup(self._reap, process)

        def run(line):
            process.stdin.write(line.encode() + b"\necho ready $?\n")
            process.stdin.flush()
            *lines, last = self.await_ready(process).decode().splitlines()
            return int(last.split()[1]), "\n".join(lines)

        run.pid = process.pid
        run.process = process
        return run

    def test_every_step_of_the_script_is_accepted_behind_wrappers_too(self):
        script = self.shell()
        self.assertEqual(script("token=$(foldlog start)"), (0, ""))
        for number, line in enumerate(("foldlog checkpoint --files %d", "timeout 60 foldlog checkpoint --files %d",
                                       "(foldlog checkpoint --files %d; true) | cat",
                                       "sh -c 'sh -c \"foldlog checkpoint --files %d; true\"; true'",
                                       "x=$(foldlog checkpoint --files %d)", "setsid -w foldlog checkpoint --files %d")):
            self.assertEqual(script(line % number), (0, ""))
            self.assertEqual(self.json("status")["files_processed"], number)
        self.assertEqual(script("foldlog complete"), (0, ""))

    def test_a_script_whose_operation_was_taken_over_can_take_no_step(self):
        script = self.shell()
        script("token=$(foldlog start)")
        script("id=${token%@*}")
        successor = self.sleeper()
        self.foldlog("recover", "--force", "--reason", "I know", "--owner-pid", str(successor.pid))
        for step in self.STEPS:
            for operation in ("", "$id", "$token"):
                status, message = script("foldlog %s %s" % (" ".join(step), operation))
                self.assertEqual(status, 1, message)
                self.assertRegex(message, r"taken over .*by sleep, process %d .*at \d{4}-\d\d-\d\d \d\d:" % successor.pid)
        self.assertEqual(self.json("status")["last_sequence"], 2)

    def test_a_stranger_needs_the_token(self):
        script = self.shell()
        script("foldlog start")
        before = self.json("status")
        for step in self.STEPS:
            message = self.refused(*step)
            self.assertIn("dash, process %d" % script.pid, message)
            self.assertIn(before["operation_id"] + "@1", message)
        self.assertEqual(self.json("status")["last_sequence"], 1)
        self.text("checkpoint", before["operation_id"] + "@1", "--files", "1")
        self.text("checkpoint", "--epoch", "1", "--files", "2")
        self.text("complete", before["operation_id"] + "@1")

    def test_a_dead_owners_operation_is_ended_by_token_or_after_a_resume_only(self):
        script = self.shell()
        script("foldlog start")
        self.die(script.process)
        self.assertIn("@1", self.refused("fail", "--error", "x"))
        self.text("resume")
        self.text("fail", "--error", "x")

    def test_a_stale_token_is_refused_by_every_step(self):
        token = self.start_token()
        self.text("pause", token)
        second = self.text("resume", token).strip()
        self.assertEqual(second, token.replace("@1", "@2"))
        self.text("pause")
        for step in self.STEPS + [["resume"], ["recover", "--force", "--reason", "x"]]:
            self.assertIn("stale", self.refused(step[0], token, *step[1:]))
        self.text("resume", second)

    def test_a_token_and_another_epoch_are_refused(self):
        token = self.start_token()
        self.assertIn("--epoch", self.refused("pause", token, "--epoch", "2"))
        self.text("pause", token, "--epoch", "1")

    def test_all_of_160_parallel_steps_succeed(self):
        script = self.shell()
        script("foldlog start")
        line = "; ".join("foldlog checkpoint --files 7 || echo failed &" for _ in range(160)).replace("&;", "&")
        self.assertEqual(script(line + " wait"), (0, ""))
        self.assertEqual(self.json("status")["last_sequence"], 161)

    def test_a_step_says_which_indexer_is_in_the_way_and_how_to_pause_it(self):
        indexer = self.stopped_indexer()
        message = self.refused("pause", "--wait", "0")
        self.assertIn("kill -INT %d" % indexer.pid, message)
        self.assertIn("indexes", message)

    def test_a_step_waits_for_the_writer_before_it(self):
        indexer = self.stopped_indexer(files=300)
        step = self.spawn("reset", "--wait", "100")
        with self.assertRaises(subprocess.TimeoutExpired):
            step.wait(timeout=0.3)
        indexer.send_signal(signal.SIGCONT)
        self.assertEqual(self.finish(step)[0], 0)

    def test_every_step_answers_programs(self):
        answer = self.json("start")
        token = answer["token"]
        self.assertEqual(answer, {"operation_id": token[:-2], "epoch": 1, "sequence": 1, "status": "in_progress",
                                  "token": token})
        for number, (step, status) in enumerate((
                (["checkpoint", "--files", "1"], "in_progress"), (["pause"], "paused"), (["resume"], "in_progress"),
                (["recover", "--force", "--reason", "x"], "in_progress"), (["complete"], "completed")), start=2):
            answer = self.json(*step)
            self.assertEqual((answer["sequence"], answer["status"]), (number, status))
            self.assertEqual(answer["token"], "%s@%d" % (token[:-2], answer["epoch"]))
        for step in ("clear", "reset"):
            answer = self.json(step)
            self.assertEqual((answer["status"], answer["operation_id"], answer["token"]), ("idle", None, None))


def may_unshare():
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"],
                                                capture_output=True, check=False).returncode == 0


@unittest.skipUnless(may_unshare(), "needs a namespace of its own")
class EvidenceTest(ScriptTest):
    """What is judged from elsewhere: other namespaces, boot ids, machine ids, without /proc, of a copy."""

    OTHER_BOOT = "mount --bind %s/boot_id /proc/sys/kernel/random/boot_id; "
    NO_MACHINE = "mount --bind /dev/null /etc/machine-id; "
    NO_PROC = "umount -l /proc; "
    SUBSET = "mount -t proc -o subset=pid proc /proc; "

    def setUp(self):
        super().setUp()
        with open(os.path.join(self.dir, "boot_id"), "w", encoding="ascii") as file:
            file.write("11111111-2222-4333-8444-555555555555\n")

    def elsewhere(self, setup, *args, unshare=("--mount",)):
        """The program with its arguments in namespaces of its own that `setup` has prepared."""
        text = setup.replace("%s", self.dir) + 'exec "$@"'
        return subprocess.run(["unshare", *unshare, "sh", "-ec", text, "sh", self.program, *args], env=self.env,
                              capture_output=True, timeout=cli_support.TIMEOUT_S)

    def status_elsewhere(self, *args, **options):
        done = self.elsewhere(*args, "status", "--json", **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def live_script(self):
        script = self.script("dash", "foldlog start")
        self.await_ready(script)
        return script

    def killed_indexer(self):
        indexer = self.stopped_indexer()
        self.die(indexer)
        return indexer

    def test_a_live_script_is_alive_whatever_the_boot_id_and_the_time_namespace(self):
        self.live_script()
        for setup, options in ((self.OTHER_BOOT, {}), (self.NO_MACHINE, {}), (self.SUBSET, {}),
                               ("", {"unshare": ("--mount", "--time", "--boottime", "86400", "--fork")})):
            status = self.status_elsewhere(setup, **options)
            self.assertEqual((status["interrupted"], status["owner_fate"]), (False, "alive"), (setup, options))
            done = self.elsewhere(setup, "resume", "--owner-pid", str(os.getpid()), **options)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"still there", done.stderr)

    def test_an_indexer_that_holds_the_lock_is_alive_from_everywhere(self):
        self.stopped_indexer()
        for setup, options in ((self.OTHER_BOOT, {}), (self.NO_MACHINE, {}), (self.NO_PROC, {}), (self.SUBSET, {}),
                               ("", {"unshare": ("--mount", "--pid", "--fork", "--mount-proc")})):
            status = self.status_elsewhere(setup, **options)
            self.assertEqual((status["interrupted"], status["owner_fate"]), (False, "alive"), (setup, options))

    def test_a_killed_indexer_is_proven_gone_from_everywhere(self):
        for setup, options, evidence in (
                ("", {}, "process_died"), (self.NO_PROC, {}, "process_died"), (self.SUBSET, {}, "process_died"),
                ("", {"unshare": ("--mount", "--pid", "--fork", "--mount-proc")}, "process_died"),
                (self.OTHER_BOOT + self.NO_MACHINE, {}, "process_died"), (self.OTHER_BOOT, {}, "machine_rebooted")):
            with self.subTest(setup=setup, options=options):
                self.killed_indexer()
                status = self.status_elsewhere(setup, **options)
                self.assertEqual((status["interrupted"], status["evidence"]), (True, evidence))
                done = self.elsewhere(setup, "index", **options)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.json_lines("events", "--kind", "recovered")[-1]["evidence"], evidence)
                self.forget()
                shutil.rmtree(os.path.join(self.dir, "tree"))
                os.remove(os.path.join(self.dir, "catalog.db"))

    def test_a_script_in_a_container_is_seen_from_the_host(self):
        path = os.path.join(self.dir, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("foldlog start\necho ready\nread -r line\n")
        setup = self.OTHER_BOOT.replace("%s", self.dir)
        container = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh",
                                      "-ec", setup + "sh " + path + "; true"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, env=self.env)
        self.addCleanup(container.stdin.close)
        self.addCleanup(self._reap, container)
        self.await_ready(container)
        status = self.json("status")
        self.assertEqual((status["interrupted"], status["owner_fate"]), (False, "alive"))
        self.assertIn("still there", self.refused("resume"))
        self.die(container)  # what it held dies behind it
        wait_for(lambda: self.json("status")["evidence"] == "process_died", "the end of the script in the container")
        self.text("resume")

    def test_a_script_that_a_container_cannot_see_is_not_taken_from_it(self):
        self.live_script()
        options = {"unshare": ("--mount", "--pid", "--fork", "--mount-proc")}
        for setup in ("", self.OTHER_BOOT):
            status = self.status_elsewhere(setup, **options)
            self.assertEqual((status["interrupted"], status["owner_fate"]), (False, "unknown"))
            done = self.elsewhere(setup, "resume", "--owner-pid", "1", **options)
            self.assertIn(b"nothing here proves", done.stderr)

    def test_steps_as_another_user_belong_to_roots_script_and_its_death_is_proven(self):
        os.chmod(self.dir, 0o777)
        self.env["AS"] = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        script = self.script("dash", "$AS foldlog start && $AS foldlog checkpoint --files 1")
        self.assertIn(b"ready 0", self.await_ready(script))
        self.assertEqual(self.json("status")["owner"]["pid"], script.pid)
        as_user = self.elsewhere("", "resume", "--owner-pid", str(os.getpid()),
                                 unshare=("--mount", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
        self.assertIn(b"still there", as_user.stderr)
        self.die(script)
        self.assertEqual(self.json("status")["evidence"], "process_died")

    def test_start_without_proc_asks_for_the_owner(self):
        done = self.elsewhere(self.NO_PROC, "start")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/proc is not mounted", done.stderr)
        self.assertIn(b"--owner-pid $$", done.stderr)
        done = self.elsewhere(self.NO_PROC, "start", "--owner-pid", str(os.getpid()))
        self.assertEqual(done.returncode, 0, done.stderr)


class CopyTest(ScriptTest):
    def test_a_copy_of_a_live_log_says_so_and_is_not_resumed(self):
        self.stopped_indexer()
        copy = os.path.join(self.dir, "copy")
        shutil.copytree(self.log, copy)
        original, self.log = self.log, copy
        status = self.json("status")
        self.assertEqual((status["interrupted"], status["owner_fate"]), (False, "copied"))
        self.assertIn("this log is a copy", self.text("status"))
        message = self.refused("resume")
        self.assertIn("copy", message)
        self.assertIn("recover --force", message)
        self.text("recover", "--force", "--reason", "it is to go its own way")
        self.assertEqual(self.json_lines("events", "--kind", "recovered")[-1]["evidence"], "forced")
        self.log = original
        self.assertEqual(self.json("status")["owner_fate"], "alive")

    def test_a_copy_whose_owner_is_gone_is_resumed_as_any_log(self):
        self.die(self.stopped_indexer())
        copy = os.path.join(self.dir, "copy")
        shutil.copytree(self.log, copy)
        self.log = copy
        self.assertEqual(self.json("status")["evidence"], "process_died")
        self.text("resume")

    def test_a_renamed_log_is_no_copy(self):
        indexer = self.stopped_indexer()
        os.rename(self.log, self.log + "2")
        self.log += "2"
        self.assertEqual(self.json("status")["owner_fate"], "alive")
        self.die(indexer)
        self.assertEqual(self.json("status")["evidence"], "process_died")

    def test_forced_recovery_records_the_better_evidence(self):
        self.die(self.stopped_indexer())
        self.text("recover", "--force", "--reason", "I did not look")
        event = self.json_lines("events", "--kind", "recovered")[-1]
        self.assertEqual((event["evidence"], event["reason"]), ("process_died", "I did not look"))


class LockFileTest(ScriptTest):
    def test_a_lock_file_that_is_none_hangs_nobody(self):
        self.start_token()
        lock = os.path.join(self.log, "writer.lock")
        os.remove(lock)

        def socket_file():
            import socket
            with socket.socket(socket.AF_UNIX) as file:
                here = os.getcwd()
                os.chdir(self.log)
                file.bind("writer.lock")
                os.chdir(here)

        def fifo():
            os.mkfifo(lock)

        def directory():
            os.mkdir(lock)

        def link():
            os.symlink("/dev/null", lock)

        def device():
            os.mknod(lock, 0o20666, os.makedev(1, 5))  # /dev/zero

        for make in (fifo, directory, link, socket_file) + ((device,) if os.geteuid() == 0 else ()):
            make()
            for command in (["status"], ["checkpoint", "--files", "1"], ["resume"]):
                message = self.refused(*command)
                self.assertIn("writer.lock is not a regular file", message)
                self.assertIn("remove it", message)
            os.rmdir(lock) if make is directory else os.remove(lock)
        self.text("status")

    def test_a_removed_lock_file_does_not_make_a_running_indexer_gone(self):
        self.stopped_indexer()
        os.remove(os.path.join(self.log, "writer.lock"))
        self.assertFalse(self.json("status")["interrupted"])


if __name__ == "__main__":
    cli_support.main()
