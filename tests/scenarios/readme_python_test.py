"""Runs the Python examples of README.md, on a fresh log and on one whose writer died in the middle.

usage: scenarios/readme_python_test.py README.md, with foldlog in PYTHONPATH
"""
import os
import re
import subprocess
import sys
import tempfile

with open(sys.argv[1], encoding="utf-8") as file:
    examples = re.findall(r"^```python\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
assert len(examples) == 2, "README.md has lost its Python examples"

DIES_HALFWAY = """
import os, sys, foldlog
manager = foldlog.IndexingStateManager(sys.argv[1])
manager.update_checkpoint(manager.start_operation(foldlog.IndexingOperationType.INITIAL), 5)
os.kill(os.getpid(), 9)
"""


def run(program, log):
    return subprocess.run([sys.executable, "-B", "-c", program, log], text=True, stdout=subprocess.PIPE)


with tempfile.TemporaryDirectory(dir=os.getcwd()) as place:
    done = run(examples[0], os.path.join(place, "fresh"))
    assert (done.returncode, done.stdout) == (0, "completed 10 0\n2\n"), done
    interrupted = os.path.join(place, "interrupted")
    assert run(DIES_HALFWAY, interrupted).returncode == -9
    done = run(examples[0], interrupted)
    assert (done.returncode, done.stdout) == (0, "completed 10 1\n5\n"), done
    followed = run(examples[1], interrupted)
    assert followed.returncode == 0 and followed.stdout.startswith("completed 5\n1 started\n"), followed
    assert followed.stdout.endswith("completed\n"), followed
