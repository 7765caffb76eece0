"""The power-cut simulator from outside: an indexer in Python that keeps its list of files in a text file, recorded and cut.

usage: power_cut_program_test.py POWER_CUT RECORDER_LIBRARY

The careful indexer must survive; the one that forgets a flush must be found out.
"""
import os
import subprocess
import sys
import tempfile
import textwrap

POWER_CUT, RECORDER = (os.path.abspath(path) for path in sys.argv[1:])

# Item n is line n. Prepared aside and renamed, so that there is never half a list.
INDEXER = textwrap.dedent("""
    import ctypes, os, sys
    mark = ctypes.CDLL(None).foldlog_recorder_mark
    careful = sys.argv[1] == "careful"
    def sync(path):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    with open("list", "w"): pass
    sync("list")
    sync(".")
    mark(1, 0)
    for n in range(1, 9):
        mark(0, n)
        with open("list.new", "w") as file:
            file.write("".join(f"item {i} {'x' * 300}\\n" for i in range(1, n + 1)))
        if careful:
            sync("list.new")
        os.rename("list.new", "list")
        sync(".")
        mark(1, n)
    """)

CHECK = textwrap.dedent("""
    import os, sys
    path = os.path.join(sys.argv[1], "list")
    if not os.path.exists(path):
        print(-1)
        sys.exit()
    lines = open(path).read().splitlines()
    for number, line in enumerate(lines, 1):
        if line != f"item {number} {'x' * 300}":
            sys.exit(3)
    print(len(lines))
    """)


def cut(mode):
    with tempfile.TemporaryDirectory() as directory:
        data = os.path.join(directory, "data")
        trace = os.path.join(directory, "trace")
        check = os.path.join(directory, "check.py")
        os.mkdir(data)
        with open(check, "w") as file:
            file.write(CHECK)
        environment = {**os.environ, "LD_PRELOAD": RECORDER, "FOLDLOG_RECORD_DIR": data, "FOLDLOG_RECORD_TRACE": trace}
        subprocess.run(["/usr/bin/python3", "-c", INDEXER, mode], cwd=data, env=environment, check=True, timeout=60)
        command = [POWER_CUT, trace, f"/usr/bin/python3 -S {check}", "--images", "100", "--seed", "1"]
        return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300)


survived = cut("careful")
print(survived.stdout, survived.stderr)
assert survived.returncode == 0, "the careful indexer lost something"
assert " 0 lost" in survived.stdout

found_out = cut("careless")
print(found_out.stdout[:300], found_out.stderr)
assert found_out.returncode == 1, "the careless indexer was not found out"
print("OK")
