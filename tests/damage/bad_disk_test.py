"""Sectors that really can't be read: on btrfs a block whose checksum does not match is an I/O error, through read() and
through a mapping alike. Needs root, mkfs.btrfs and a loop device, and is skipped without.

Usage: bad_disk_test.py PROGRAM [--blocks N] [--seed S]"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
BLOCK = 4096
IMAGE_BYTES = 160 << 20
LIMIT_S = 120


class Disk:
    """An image of a btrfs file system, mounted or not."""

    def __init__(self, directory):
        self.image = os.path.join(directory, "disk")
        self.mount_point = os.path.join(directory, "mnt")
        os.mkdir(self.mount_point)
        with open(self.image, "wb") as image:
            image.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.btrfs", "-q", "-f", "-m", "single", "-d", "single", self.image], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def mount(self):
        subprocess.run(["mount", "-o", "loop,noatime", self.image, self.mount_point], check=True)

    def unmount(self):
        subprocess.run(["umount", self.mount_point], check=True)

    def spoil(self, content):
        """Changes every block that has this content, older copies as well. Not while mounted."""
        with open(self.image, "r+b") as image:
            disk = image.read()
            at = disk.find(content)
            while at >= 0:
                image.seek(at)
                image.write(bytes(byte ^ 0xFF for byte in content[:16]))
                at = disk.find(content, at + 1)


def can_be_read(path, place):
    with open(path, "rb") as file:
        try:
            return bool(os.pread(file.fileno(), BLOCK, place))
        except OSError:
            return False


def foldlog(program, log, *arguments):
    return subprocess.run([program, *arguments, "--log", log], capture_output=True, timeout=LIMIT_S)


def make_log(program, log, tree):
    """Two runs of the indexer over many files, and a script's operation in progress."""
    os.makedirs(tree)
    for number in range(3000):
        with open(os.path.join(tree, "file%05d" % number), "wb") as file:
            file.write(b"%d" % number)
    for kind in ("initial", "recovery"):
        done = foldlog(program, log, "index", tree, "--catalog", tree + ".db", "--batch", "1", "--type", kind, "--quiet")
        assert done.returncode == 0, done.stderr
    assert foldlog(program, log, "start", "--owner-pid", str(os.getpid())).returncode == 0


def try_commands(program, log, events):
    """What is wrong with what the commands make of it."""
    wrong = []
    for command in (["status"], ["events", "--json"], ["history"], ["show"], ["checkpoint", "--files", "1"], ["reset"],
                    ["events", "--json"]):
        done = foldlog(program, log, *command)
        told = done.stderr.decode(errors="replace").strip()
        if done.returncode not in (0, 1, 3):
            wrong.append("%s ended with %d: %s" % (command[0], done.returncode, told))
        if done.returncode == 3 and log not in told:
            wrong.append("%s names no log: %s" % (command[0], told))
        lines = done.stdout.splitlines() if command[0] == "events" else []
        if lines[:len(events)] != events[:len(lines)]:
            wrong.append("events printed something else")
        if command[0] == "events" and done.returncode == 0 and len(lines) < len(events):
            wrong.append("events missed %d without a word" % (len(events) - len(lines)))
    return wrong


def run(program, blocks, seed, directory):
    disk = Disk(directory)
    log = os.path.join(disk.mount_point, "log")
    disk.mount()
    make_log(program, log, os.path.join(disk.mount_point, "tree"))
    events = foldlog(program, log, "events", "--json").stdout.splitlines()
    whole = os.path.join(directory, "whole")
    shutil.copytree(log, whole)
    disk.unmount()
    choice = random.Random(seed)
    failures = 0
    for _ in range(blocks):
        name = choice.choice(["log.mdb", "log.mdb", "tail", "snapshots"])
        with open(os.path.join(whole, name), "rb") as file:
            content = file.read()
        # Only a block with something in it can be found on the disk.
        places = [at for at in range(0, len(content) - BLOCK + 1, BLOCK) if content[at:at + BLOCK].strip(b"\0")]
        if not places:
            continue
        place = choice.choice(places)
        disk.mount()
        shutil.rmtree(log)
        shutil.copytree(whole, log)
        disk.unmount()
        disk.spoil(content[place:place + BLOCK])
        disk.mount()
        assert not can_be_read(os.path.join(log, name), place), "the block can still be read"
        wrong = try_commands(program, log, events)
        disk.unmount()
        for line in wrong:
            print("%s, block at %d can't be read: %s" % (name, place, line))
        failures += len(wrong)
    print("%d events, %d unreadable blocks, %d wrong" % (len(events), blocks, failures))
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("mkfs.btrfs", path=os.environ["PATH"] + ":/sbin:/usr/sbin"):
        print("skipped: needs root and mkfs.btrfs (btrfs-progs)")
        return SKIPPED
    print("--seed %d" % options.seed)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(options.program))) as directory:
        try:
            return run(os.path.abspath(options.program), options.blocks, options.seed, directory)
        finally:
            subprocess.run(["umount", "-q", os.path.join(directory, "mnt")], check=False)


if __name__ == "__main__":
    sys.exit(main())
