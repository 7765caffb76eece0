@0xd1c08e5b7a3f9246;
# A snapshot: the fold of all events up to one sequence number. It is a cache; the events are the truth.
#
# A snapshot whose foldVersion is not the reader's own is ignored and the state is folded from the events instead, so
# this file may change freely as long as foldVersion changes with it.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("foldlog::schema");

using E = import "event.capnp";

struct State {
  foldVersion @0 :UInt32;
  sequence @1 :UInt64;
  epoch @2 :UInt64;
  operation @3 :Operation;   # null: idle
  seenTime @4 :Int64;        # the clocks at the last event
  seenBootedAt @5 :Int64;
  seenBoot @6 :UInt32;
}

struct Operation {
  operationId @0 :Data;
  type @1 :E.OperationType;
  status @2 :E.OperationStatus;
  owner @3 :E.Owner;
  roots @4 :List(Data);
  metadata @5 :List(E.Pair);
  totalFiles @6 :Int64 = -1;
  filesProcessed @7 :Int64;
  currentPath @8 :Data;
  lastProcessedFile @9 :Data;
  batchNum @10 :Int64;
  errorCount @11 :Int64;
  rate @12 :Float64;
  startedAt @13 :Int64;
  updatedAt @14 :Int64;
  lastProgressAt @15 :Int64;
  completedAt @16 :Int64 = -9223372036854775808;  # the least value: not completed
  firstSequence @17 :UInt64;
  lastSequence @18 :UInt64;
  checkpoints @19 :Int64;
  pausedNs @20 :Int64;
  pauseReason @21 :Data;
  failure @22 :Data;
  stats @23 :List(E.Statistic);
  epoch @24 :UInt64;
  firstErrorSequence @25 :UInt64;
  lastErrorSequence @26 :UInt64;
  imported @27 :Bool;
  activeNs @28 :Int64;
  recentFromFiles @29 :Int64;
  recentFromNs @30 :Int64;
  recentNextFiles @31 :Int64;
  recentNextNs @32 :Int64;
  clockSteps @33 :Int64;
  clockStepSequence @34 :UInt64;
  clockStepNs @35 :Int64;
  interruptionsBy @36 :List(Int64);  # in the order of Evidence
}
