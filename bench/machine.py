"""What a run was made on: whatever decides the figures, and nothing that names the machine or who uses it."""

import os
import pathlib
import platform
import re
import resource
import subprocess
import time

BUSY_SHARE = 0.10  # of all processors, taken by others


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return None


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def processor():
    found = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo") or "", re.M)
    return {"model": found[1] if found else platform.machine(), "processors": os.cpu_count(),
            "hypervisor": "hypervisor" in (read("/proc/cpuinfo") or "")}


def memory_bytes():
    found = re.search(r"^MemTotal:\s*(\d+) kB", read("/proc/meminfo") or "", re.M)
    return int(found[1]) * 1024 if found else None


def file_system(directory):
    device = os.stat(directory).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in (read("/proc/self/mountinfo") or "").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            behind = fields[fields.index("-") + 1:]
            return {"type": behind[0], "options": f"{fields[5]},{behind[2]}"}
    return {"type": "unknown", "options": ""}


def disk(directory):
    """The whole disk that the directory is on: its model, and how it makes writes durable."""
    device = os.stat(directory).st_dev
    place = pathlib.Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not place.exists():
        return None
    place = place.resolve()
    if (place / "partition").exists():
        place = place.parent
    queue = {name: read(place / "queue" / name) for name in ("write_cache", "fua", "rotational", "scheduler")}
    return {"name": place.name, "model": read(place / "device/model"),
            "bytes": int(read(place / "size") or 0) * 512, **queue}


def cached(build, name):
    found = re.search(rf"^{name}:[A-Z]+=(.*)$", read(pathlib.Path(build) / "CMakeCache.txt") or "", re.M)
    return found[1] if found else None


def compiler(build):
    program = cached(build, "CMAKE_CXX_COMPILER")
    first = (output(program, "--version") or "unknown").splitlines()[0] if program else "unknown"
    kind = cached(build, "CMAKE_BUILD_TYPE") or ""
    flags = f"{cached(build, 'CMAKE_CXX_FLAGS') or ''} {cached(build, f'CMAKE_CXX_FLAGS_{kind.upper()}') or ''}".strip()
    return {"compiler": first, "build_type": kind, "flags": flags}


def revision(source):
    changed = output("git", "-C", str(source), "status", "--porcelain", "--untracked-files=no")
    name = output("git", "-C", str(source), "rev-parse", "--short", "HEAD")
    return f"{name}, changed" if name and changed else name


def processor_seconds():
    """Time that all processors have had, and what of it they were busy; a hypervisor's other guests count as busy."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = [int(field) / ticks for field in (read("/proc/stat") or "cpu 0 0 0 0 0 0 0 0").splitlines()[0].split()[1:9]]
    return sum(fields), sum(fields) - fields[3] - fields[4]


class Others:
    """How much of the processors' time others take, while this process and its children work."""

    def __init__(self):
        self.all, self.busy = processor_seconds()
        self.own = self.own_seconds()

    @staticmethod
    def own_seconds():
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in usage)

    def share(self):
        """Of all processors, since this was made. Threads of the kernel that write for us are others, too."""
        all_now, busy_now = processor_seconds()
        others = (busy_now - self.busy) - (self.own_seconds() - self.own)
        return min(max(others / max(all_now - self.all, 0.01), 0.0), 1.0)


def busy_share(seconds=0.25):
    others = Others()
    time.sleep(seconds)
    return others.share()


def describe(directory, build, source, systems):
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "revision": revision(source),
        "processor": processor(),
        "memory_bytes": memory_bytes(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "file_system": file_system(directory),
        "disk": disk(directory),
        **compiler(build),
        "versions": {system["system"]: system["version"] for system in systems},
        "load": [round(value, 2) for value in os.getloadavg()],
        "busy_share": round(busy_share(), 3),
    }


def warnings(machine):
    """What a reader must know before believing a figure."""
    if machine["build_type"] != "Release":
        yield f"the build is {machine['build_type'] or 'of no type'}, not Release: figures mean nothing"
    if machine["file_system"]["type"] in ("tmpfs", "ramfs", "overlay"):
        yield f"the file system is {machine['file_system']['type']}: flushes are free there, or unlike a disk's"
    if machine["busy_share"] > BUSY_SHARE:
        yield f"the machine was busy with other things: {machine['busy_share']:.0%} of its processors before the first row"
    disk_found = machine["disk"] or {}
    if disk_found.get("write_cache") == "write back" and disk_found.get("fua") == "0":
        yield "the disk has a volatile cache and no FUA: each durable write is a write and a flush of the whole cache"
