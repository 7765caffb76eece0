@0xb5f2a1c7d94e6083;
# One event of a foldlog log: an immutable fact about an indexing operation.
#
# FORMAT.md says how these messages are framed and how this file may evolve. In short: fields and union members are only
# ever added at the end, never renumbered, and a change of meaning takes a new union member, which older programs refuse.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("foldlog::schema");

struct Event {
  time @0 :Int64;    # nanoseconds since the epoch, UTC
  epoch @1 :UInt64;  # fencing epoch under which the event was written; it names the operation, too

  union {
    started @2 :Started;

    # The one event that comes in millions is a group: it saves a pointer and a bounds check each.
    checkpoint :group {
      filesProcessed @3 :Int64;
      batchNum @4 :Int64 = -1;          # -1: unchanged
      currentPath @5 :Data;             # null: unchanged
      lastProcessedFile @6 :Data;       # null: unchanged
      error @7 :FileError;              # null: none
    }

    paused @8 :Paused;
    resumed @9 :Resumed;
    recovered @10 :Recovered;
    completed @11 :Completed;
    failed @12 :Failed;
    cleared @13 :Void;
    reset @14 :Reset;
    imported @15 :Imported;
  }

  # What tells time that passed from a clock that was set: all events of a boot have the same bootedAt, unless it was.
  bootedAt @16 :Int64;  # when the machine booted, by the clock that gave `time`: nanoseconds, whole milliseconds
  boot @17 :UInt32;     # which boot of the machine: a hash of its id; 0: unknown, and bootedAt then says nothing
}

enum OperationType {
  initial @0;
  incremental @1;
  recovery @2;
}

enum OperationStatus {
  idle @0;                    # of a state only
  inProgress @1;
  paused @2;
  completed @3;
  failed @4;
}

# Evidence that the former owner of an operation is gone.
enum Evidence {
  processDied @0;
  machineRebooted @1;
  closedWithoutEnd @2;
  forced @3;            # no proof; a person decided, and Recovered.reason says why
}

# The process that answers for an operation.
struct Owner {
  instance @0 :Text;       # UUID of one opening of the log
  machineId @1 :Text;      # /etc/machine-id, empty where there is none
  bootId @2 :Text;         # /proc/sys/kernel/random/boot_id
  pidNamespace @3 :UInt64; # inode of /proc/PID/ns/pid
  pid @4 :Int64;
  startTicks @5 :UInt64;   # field 22 of /proc/PID/stat, without a time namespace's offset: tells a reused pid apart
  holdsLog @6 :Bool;       # true: lives as long as it holds the log's writer lock; false: named by a script
  program @7 :Data;
  host @8 :Data;
  kernelBootId @9 :Bool;   # bootId is the kernel's own, not one that a container was given
  fileSystem @10 :UInt64;  # of the log that it worked on: f_fsid of statfs(2); this and the next three 0: not known
  device @11 :UInt64;      # st_dev, which means something within one boot
  directory @12 :UInt64;   # inode of the log's directory
  lockFile @13 :UInt64;    # inode of its writer.lock
}

struct Pair {
  name @0 :Data;
  value @1 :Data;
}

struct Statistic {
  name @0 :Data;
  union {
    integer @1 :Int64;
    real @2 :Float64;
    text @3 :Data;
  }
}

struct FileError {
  path @0 :Data;
  message @1 :Data;
  details @2 :Data;           # the whole error as one JSON object in ASCII; null: it is the two above and no more
}

struct Started {
  operationId @0 :Data;
  type @1 :OperationType;
  totalFiles @2 :Int64 = -1;  # -1: unknown
  roots @3 :List(Data);
  metadata @4 :List(Pair);
  owner @5 :Owner;
}

struct Paused {
  reason @0 :Data;
}

struct Resumed {
  reason @0 :Data;
  owner @1 :Owner;
}

struct Recovered {
  evidence @0 :Evidence;
  reason @1 :Data;
  owner @2 :Owner;            # the new one; the former stands in the event that made it owner
}

struct Completed {
  stats @0 :List(Statistic);
}

struct Failed {
  error @0 :Data;
}

struct Reset {
  reason @0 :Data;
}

# An operation that an older program kept in a single row goes on here, with all that the row says of it.
struct Imported {
  operationId @0 :Data;
  type @1 :OperationType;
  status @2 :OperationStatus;
  totalFiles @3 :Int64 = -1;  # -1: unknown
  filesProcessed @4 :Int64;
  batchNum @5 :Int64;
  currentPath @6 :Data;       # null: none
  lastProcessedFile @7 :Data; # null: none
  rate @8 :Float64;
  startedAt @9 :Int64;        # nanoseconds, as are the next three
  lastUpdate @10 :Int64;
  updatedAt @11 :Int64;
  endedAt @12 :Int64;         # if it was completed or failed
  failure @13 :Data;          # if it failed
  errors @14 :List(ImportedError);
  owner @15 :Owner;           # the process that imported it
  source @16 :Data;           # where the row was, for the auditor
  row @17 :Row;               # the row itself, if the fields above do not give it byte for byte; null: they do
}

struct ImportedError {
  time @0 :Int64;
  error @1 :FileError;        # never null
}

# A row of the table `indexing_state`.
struct Row {
  operationType @0 :Data;
  status @1 :Data;
  checkpointData @2 :Data;
  startedAt @3 :Int64;        # seconds, as are the next two
  updatedAt @4 :Int64;
  completedAt @5 :Int64 = -9223372036854775808;  # the least value: null
}
