"""However a script spells `foldlog start`, the process that goes on answers for the operation, or the call is refused.

In real shells, as many as are installed.
"""

import os
import shutil
import subprocess

import cli_support
from cli_support import ScriptTest, wait_for

SHELLS = ["bash", "dash", "zsh", "ksh", "mksh", "busybox"]

# Spelling; the shells that have it; who is the owner: the script, or nobody, and the script has to name itself.
SCRIPT, REFUSED = "script", "refused"
SPELLINGS = [
    ("foldlog start", SHELLS, SCRIPT),
    ("foldlog start > op", SHELLS, SCRIPT),
    ("foldlog start || exit 1", SHELLS, SCRIPT),
    ("op=$(foldlog start)", SHELLS, SCRIPT),
    ("op=`foldlog start`", SHELLS, SCRIPT),
    ("op=$(foldlog start --json | jq -r .operation_id)", SHELLS, SCRIPT),
    ("op=$(foldlog start --json | jq -r .operation_id) || exit", SHELLS, SCRIPT),
    ("op=$(foldlog start || exit 1)", SHELLS, SCRIPT),
    ("op=$(set -e; foldlog start; true)", SHELLS, SCRIPT),
    ("begin() { foldlog start --json | jq -r .operation_id; }; op=$(begin)", SHELLS, SCRIPT),
    ("begin() { op=$(foldlog start --json | jq -r .operation_id); echo \"$op\"; }; op=$(begin)", SHELLS, SCRIPT),
    ("op=$( (foldlog start || exit 1) | cat)", SHELLS, SCRIPT),
    ("read -r op < <(foldlog start --json | jq -r .operation_id)", ["bash"], SCRIPT),
    ("foldlog start | cat > op", SHELLS, SCRIPT),
    ("foldlog start | while read -r op; do echo \"$op\" > op; done", SHELLS, SCRIPT),
    ("timeout 60 foldlog start", SHELLS, SCRIPT),
    ("timeout --foreground 60 foldlog start", SHELLS, SCRIPT),
    ("op=$(timeout 60 foldlog start --json | jq -r .operation_id)", SHELLS, SCRIPT),
    ("flock lockfile foldlog start", SHELLS, SCRIPT),
    ("flock lockfile -c 'foldlog start'", SHELLS, SCRIPT),
    ("flock lockfile timeout 60 foldlog start", SHELLS, SCRIPT),
    ("exec 9>lockfile; flock 9; foldlog start", SHELLS, SCRIPT),
    ("echo start | xargs foldlog", SHELLS, SCRIPT),
    ("echo 10 | xargs -I{} foldlog start --total {}", SHELLS, SCRIPT),
    ("env A=b foldlog start", SHELLS, SCRIPT),
    ("A=b foldlog start", SHELLS, SCRIPT),
    ("nice -n 1 foldlog start", SHELLS, SCRIPT),
    ("nohup foldlog start", SHELLS, SCRIPT),
    ("command foldlog start", SHELLS, SCRIPT),
    ("sh -c 'foldlog start'", SHELLS, SCRIPT),
    ("sh -c 'foldlog start || exit 1'", SHELLS, SCRIPT),
    ("bash -c 'foldlog start 2>&1 || exit 1'", SHELLS, SCRIPT),
    ("op=$(sh -c 'foldlog start --json | jq -r .operation_id')", SHELLS, SCRIPT),
    ("eval 'foldlog start'", SHELLS, SCRIPT),
    ("python3 -c 'import os; os.system(\"foldlog start || exit 1\")'", [], SCRIPT),
    ("foldlog start & wait", SHELLS, SCRIPT),
    ("if foldlog start; then :; fi", SHELLS, SCRIPT),
    ("for i in 1; do foldlog start; done", SHELLS, SCRIPT),
    # What may be gone at once, or go on: not to be known.
    ("(foldlog start || exit 1)", SHELLS, REFUSED),
    ("{ foldlog start || exit 1; sleep 0.2; } & wait", SHELLS, REFUSED),
    ("(flock 9; foldlog start; true) 9> lockfile", SHELLS, REFUSED),
    ("setsid -w foldlog start", SHELLS, REFUSED),
    ("sh -c 'foldlog start; true'", SHELLS, REFUSED),
    ("sh -c 'foldlog start --json | jq .'", SHELLS, REFUSED),
    ("script -qec 'foldlog start' /dev/null", ["bash"], REFUSED),
    ("perl -e 'exit(system(@ARGV) >> 8)' foldlog start", SHELLS, REFUSED),
    # The remedy.
    ("(foldlog start --owner-pid $$ || exit 1)", SHELLS, SCRIPT),
    ("op=$(sh -c 'foldlog start --owner-pid '$$' --json; true')", SHELLS, SCRIPT),
]


class SpellingTest(ScriptTest):
    def check(self, shell, text, who):
        process = self.script(shell, text)
        out = self.await_ready(process)
        if who == REFUSED:
            process.communicate(b"\n", timeout=cli_support.TIMEOUT_S)
            self.assertFalse(os.path.exists(self.log), "it was started")
            return
        status = self.json("status")
        self.assertEqual((status["owner"]["pid"], status["interrupted"]), (process.pid, False), out)
        self.die(process)
        status = self.json("status")
        self.assertEqual((status["interrupted"], status["evidence"]), (True, "process_died"))

    def test_the_owner_is_the_process_that_goes_on_or_start_refuses(self):
        for text, shells, who in SPELLINGS:
            for shell in shells:
                if shutil.which(shell) and all(shutil.which(word) for word in ("jq", "flock") if word in text):
                    with self.subTest(text=text, shell=shell):
                        self.check(shell, text, who)
                        self.forget()

    def test_the_refusal_names_what_to_type(self):
        for text in ("(foldlog start || exit 1)", "setsid -w foldlog start", "sh -c 'foldlog start; true'"):
            process = self.script("bash", text)
            _, err = process.communicate(b"\n", timeout=cli_support.TIMEOUT_S)
            self.assertRegex(err, rb"\Afoldlog: can't tell which process goes on .+--owner-pid \$\$\)\n\Z")

    def test_a_shell_with_a_text_is_the_owner_if_it_ends_the_operation_as_well(self):
        text = "op=$(foldlog start --json | jq -r .operation_id); echo ready; read -r line; foldlog complete"
        for shell in ("bash", "dash"):
            process = subprocess.Popen([shell, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env)
            self.addCleanup(process.stdout.close)
            self.await_ready(process)
            self.assertEqual(self.json("status")["owner"]["pid"], process.pid)
            process.communicate(b"\n", timeout=cli_support.TIMEOUT_S)
            self.assertEqual(self.json("status")["status"], "completed")
            self.forget()

    def test_a_program_in_another_language_is_the_owner_through_a_shell_too(self):
        perl = "$_ = `foldlog start --json | jq -r .operation_id`; $| = 1; print qq(ready\\n); <STDIN>"
        python = ("import subprocess, sys; subprocess.check_output('foldlog start --json | jq .', shell=True);"
                  "print('ready', flush=True); sys.stdin.readline()")
        system = "import os, sys; os.system('foldlog start || exit'); print('ready', flush=True); sys.stdin.readline()"
        for command in (["perl", "-e", perl], ["/usr/bin/python3", "-c", python], ["/usr/bin/python3", "-c", system]):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env)
            self.addCleanup(process.stdout.close)
            self.await_ready(process)
            self.assertEqual(self.json("status")["owner"]["pid"], process.pid, command)
            process.communicate(b"\n", timeout=cli_support.TIMEOUT_S)
            self.forget()

    def test_an_orphan_has_no_script(self):
        process = self.script("bash", "(setsid sh -c 'sleep 0.2; foldlog start 2> err; echo $? > status' &)")
        self.await_ready(process)
        process.communicate(b"\n", timeout=cli_support.TIMEOUT_S)
        wait_for(lambda: os.path.exists(os.path.join(self.dir, "status")), "the orphan")
        self.assertFalse(os.path.exists(self.log))


if __name__ == "__main__":
    cli_support.main()
