// What a damaged log may make a command do, and what not.
//
// A command ends by itself and in time: with 0 and right answers, with 1 or 3 and a message that names the log and the
// next step, and with 3 if something durable is missing. It prints no event that was never appended. Commands that read
// leave every file as it is. What a command appends follows the events that were there.

#ifndef FOLDLOG_TESTS_DAMAGE_JUDGE_H_
#define FOLDLOG_TESTS_DAMAGE_JUDGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/damage/damages.h"
#include "tests/damage/sample_logs.h"
#include "tests/damage/trial.h"

namespace foldlog::damage {

struct Failure {
  std::string rule;     // which of the above was broken
  std::string command;  // by what
  std::string detail;
};

class Judge {
 public:
  // `demanded`: events that may not be missed without a word.
  Judge(const SampleLog& sample, std::string log, std::uint64_t demanded, bool forged)
      : sample_(sample), log_(std::move(log)), demanded_(demanded), forged_(forged) {}

  // Whatever the command was, and whatever it says: whether the program ended by itself.
  void OnEnd(const Arguments& command, const Outcome& outcome);

  // What it says if it has not done what it was told to, besides.
  void OnAnyEnd(const Arguments& command, const Outcome& outcome);

  // "events --json". Behind what is known there may be more once something was `appended`.
  void OnEvents(const Arguments& command, const Outcome& outcome, bool appended);

  // "status --json" and "show --json" of a log to which nothing was appended.
  void OnState(const Arguments& command, const Outcome& outcome);

  // "verify", whose findings are its output, beside what "events --json" made of the same files.
  void OnVerify(const Arguments& command, const Outcome& outcome, const Outcome& events);

  void Blame(const std::string& rule, const Arguments& command, const std::string& detail);
  const std::vector<Failure>& failures() const { return failures_; }

  // One that hangs is enough: the next would, too.
  bool hangs() const { return hangs_; }

 private:
  const SampleLog& sample_;
  const std::string log_;
  const std::uint64_t demanded_;
  const bool forged_;
  std::vector<Failure> failures_;
  bool hangs_ = false;
};

}  // namespace foldlog::damage

#endif  // FOLDLOG_TESTS_DAMAGE_JUDGE_H_
