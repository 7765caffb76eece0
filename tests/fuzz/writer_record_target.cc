// The text of writer.lock: a record that is understood comes back from its own text, and none names a writer in part.

#include "engine/log/writer/lock.h"
#include "foldlog/owner.h"
#include "tests/fuzz/sample.h"
#include "tests/fuzz/target.h"

namespace foldlog::fuzz {
namespace {

std::string Text(const WriterInfo& info) {
  return FormatWriterRecord(*info.writer, info.closed_cleanly, info.recovery, info.use);
}

void Run(std::string_view input) {
  const WriterInfo info = ParseWriterRecord(std::string(input));
  Require(!info.held, "a record does not say that the lock is held");
  if (!info.writer) return;
  Require(!info.writer->instance.empty(), "a writer has an instance");
  const WriterInfo again = ParseWriterRecord(Text(info));
  Require(again.writer.has_value(), "a record can be parsed");
  Require(Text(again) == Text(info), "a record comes back from its text");
  Require(again.recovery == info.recovery && again.use == info.use, "what was found comes back from the text");
  Require(again.closed_cleanly.size() == info.closed_cleanly.size(), "the clean closes come back from the text");
  static_cast<void>(AssessOwner(*info.writer, info, Owner{.instance = "self"}));
  Require(!Describe(*info.writer).empty(), "a writer can be described");
}

std::vector<std::string> Seeds() {
  Owner owner{.instance = "4be0643f-1d98-473b-97cd-ca98a65347dd",
              .machine_id = "0123456789abcdef0123456789abcdef",
              .boot_id = "ab",
              .pid_namespace = 4026531836,
              .pid = 4711,
              .start_ticks = 1234,
              .program = "foldlog",
              .host = "nas",
              .kernel_boot_id = true,
              .place = {.file_system = 1, .device = 2, .directory = 3, .lock_file = 4}};
  const RecoveryReport report{.events_from_tail = 3,
                              .frames_discarded = 1,
                              .events_lost = 0,
                              .events_in_doubt = 2,
                              .last_writer = OwnerFate::kProcessDied};
  return {FormatWriterRecord(owner, {"one", "two"}, report, WriterUse::kIndexer),
          FormatWriterRecord(owner, {}, std::nullopt, WriterUse::kStep),
          FormatWriterRecord({}, {"x"}, report) + std::string(100, '\n')};
}

}  // namespace

const Target kWriterRecordTarget = {"writer_record", Run, Seeds, nullptr};

}  // namespace foldlog::fuzz
