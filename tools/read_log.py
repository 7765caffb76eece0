#!/usr/bin/python3
"""Prints every event of a foldlog log as a line of JSON, without foldlog: by schema/FORMAT.md. Checks each hash and the chain.

usage: read_log.py DIRECTORY, while nobody writes to it. Needs lmdb-utils, python3-lz4, python3-xxhash, capnproto, libcapnp-dev,
and event.capnp, which names the fields. Bytes are text as os.fsdecode() has it, 64-bit numbers are text as in all JSON of
Cap'n Proto. An event whose bytes are none has its payload instead, in hexadecimal digits."""
import itertools, json, os, pathlib, struct, subprocess, sys, tempfile, lz4.block
from xxhash import xxh3_64_intdigest as xxh3

def check(condition, what):
    return condition or sys.exit("read_log.py: " + what)

def table(directory, name):
    with tempfile.TemporaryDirectory() as links:  # mdb_dump puts a lock file beside the name it is given: not into the log
        os.symlink(os.path.abspath(directory + "/log.mdb"), links + "/log.mdb")
        with subprocess.Popen(["mdb_dump", "-n", "-s", name, links + "/log.mdb"], stdout=subprocess.PIPE) as dump:
            rows = (bytes.fromhex(line[1:].decode()) for line in dump.stdout if line.startswith(b" "))
            yield from ((int.from_bytes(key, "little"), value) for key, value in zip(rows, rows))
        check(dump.returncode == 0, "mdb_dump cannot read the table " + name)

def frame_behind(end, data, at):
    """(sequence, hash, payload) of the frame at that place, if it is intact and the next of the chain that ends with `end`."""
    magic, size, found, *link = struct.unpack_from("<4sIQQQ", data, at) if at + 32 <= len(data) else (b"", 0, 0)
    if magic == b"FLG1" and link == [end[1], end[0] + 1] and 0 < size <= len(data) - at - 32 and size % 8 == 0:
        return (link[1], found, data[at + 32:at + 32 + size]) if found == xxh3(data[at + 16:at + 32 + size]) else None

def stored(directory, end, last, entries):
    base = end[0]
    for key, batch in table(directory, "events"):
        check(key <= base or key == end[0] + 1, f"a batch begins with event {key} instead of {end[0] + 1}")
        if batch[:4] == b"FLGZ":
            size, block = struct.unpack_from("<II", batch, 4)
            batch = lz4.block.decompress(batch[16:16 + block], size)
        at, entries = 0, entries - 1
        while key <= base and at < len(batch) and struct.unpack_from("<Q", batch, at + 24)[0] <= base:  # pruned
            at += 32 + struct.unpack_from("<I", batch, at + 4)[0]
        while at < len(batch):
            check(frame := frame_behind(end, batch, at), f"event {end[0] + 1} is damaged")
            yield frame
            at, end = at + 32 + len(frame[2]), frame[:2]
    check((end, entries) == (last, 0), "log.mdb does not end as its commit record says")

def in_tail(tail, end, position):
    start, size = struct.unpack_from("<I", tail, 12)[0], struct.unpack_from("<Q", tail, 32)[0]
    pages = [tail[at:at + 4096] for at in range(4096, start, 4096)]
    places, frame = [tail[start:], b"".join(page[:4072] for page in pages)[:size]], True  # the ring, and its durable copy
    while frame:
        for words in places:
            skips = words.startswith(b"FLS1\xff\xff\xff\xff", position * 8 % size)  # the rest of the lap is left out
            at = position + (size - position * 8 % size) // 8 if skips else position
            if frame := frame_behind(end, words, at * 8 % size):
                yield frame
                position, end = at + 4 + len(frame[2]) // 8, frame[:2]
                break
    marks = [struct.unpack_from("<Q", page, 4072)[0] for number, page in enumerate(pages)
             if page[4088:] == struct.pack("<Q", xxh3(page[4072:4088], seed=number))]
    check(max(marks, default=0) <= end[0], f"the log ends with event {end[0]}, but later ones had been durable")

def frames(directory):
    meta, tail = dict(table(directory, "meta")), pathlib.Path(directory, "tail").read_bytes()
    check(meta[1][:12] == b"FOLDLOG\0\4\0\0\0", "this is no log, or one of another version")
    base, base_hash, last, last_hash, entries, position, commit_hash = struct.unpack_from("<7Q", meta[2], 8)
    check(commit_hash == xxh3(meta[2][:56]), "the commit record is damaged")
    check(base or base_hash == xxh3(meta[1][16:32]), "the log does not begin with its own id")
    yield from stored(directory, (base, base_hash), (last, last_hash), entries)
    check(tail[:8] == b"FLGTAIL\0" and tail[16:32] == meta[1][16:32], "the tail is another log's")
    yield from in_tail(tail, (last, last_hash), position)

def to_json(payloads):  # a line for each; fewer if one of them is no event
    messages = b"".join(struct.pack("<II", 0, len(payload) // 8) + payload for payload in payloads)
    schema = pathlib.Path(__file__).resolve().parent.parent / "schema/event.capnp"
    convert = ["capnp", "convert", "--short", "--quiet", "binary:json", schema, "Event"]
    return subprocess.run(convert, input=messages, capture_output=True).stdout.splitlines()

def texts(fields):  # every list of capnp's but those of these names is bytes
    return {name: [os.fsdecode(bytes(root)) for root in value] if name == "roots" else
            os.fsdecode(bytes(value)) if isinstance(value, list) and name not in ("metadata", "stats", "errors") else value
            for name, value in fields.items()}

every = frames(sys.argv[1])
while some := list(itertools.islice(every, 1000)):
    lines = to_json([payload for _, _, payload in some])
    for place, (sequence, found, payload) in enumerate(some):
        line = lines[place:place + 1] if len(lines) == len(some) else to_json([payload])
        body = json.loads(line[0], object_hook=texts) if line else {"payload": payload.hex()}
        print(json.dumps({"sequence": sequence, "hash": f"{found:016x}", **body}))
