"""Runs the shell examples of README.md, each in a directory of its own, as a reader would type them.

usage: readme_shell_test.py README.md FOLDLOG_PROGRAM
"""
import os
import re
import subprocess
import sys
import tempfile

readme, program = map(os.path.abspath, sys.argv[1:3])
with open(readme, encoding="utf-8") as file:
    examples = re.findall(r"^```sh\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
assert len(examples) >= 2, "README.md has lost its shell examples"

for example in examples:
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as place:
        os.mkdir(os.path.join(place, "pictures"))
        for name in ("a.jpg", "b.jpg"):
            with open(os.path.join(place, "pictures", name), "w", encoding="utf-8") as picture:
                picture.write(name)
        environment = dict(os.environ, PATH=os.path.dirname(program) + ":" + os.environ["PATH"])
        done = subprocess.run(["sh", "-eu"], input=example, text=True, cwd=place, env=environment, capture_output=True)
        print(done.stdout, done.stderr)
        assert done.returncode == 0, f"exit {done.returncode} from:\n{example}"
        assert "completed" in done.stdout
