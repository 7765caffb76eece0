// How findings are worded and kept.

#ifndef FOLDLOG_VERIFY_FINDINGS_H_
#define FOLDLOG_VERIFY_FINDINGS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/codec/damage_advice.h"
#include "foldlog/verify.h"

namespace foldlog::verify {

// What a status says of the file `path`, which the finding names already, without advice.
inline std::string Sentence(std::string message, const std::string& path) {
  const std::string head = path + ": ";
  if (message.starts_with(head)) message.erase(0, head.size());
  return message;
}
inline std::string Sentence(const absl::Status& status, const std::string& path) {
  return Sentence(WithoutDamageAdvice(status), path);
}

// The next step where events are hidden up to `through`, and not all others are behind it.
inline std::string ReadBehind(const std::string& log, Sequence through) {
  return absl::StrCat("keep a copy of ", log, " and restore the last backup; foldlog events --from ", through + 1,
                      " --beyond-damage --log ", log, " reads on behind the damage");
}
inline std::string Restore(const std::string& log) {
  return absl::StrCat("keep a copy of ", log,
                      " and restore the last backup, or make a new log of what is intact: ", "foldlog salvage --log ",
                      log, " --out NEW");
}
inline std::string MakeIndexAnew(const std::string& log) { return absl::StrCat("foldlog reindex --log ", log); }

// A bounded list. Threads: one at a time.
class Findings {
 public:
  void Add(VerifyFinding finding) {
    has_damage_ = has_damage_ || !finding.is_note;
    if (list_.size() < VerifyReport::kFindingsMax) {
      list_.push_back(std::move(finding));
    } else {
      ++left_out_;
      damages_left_out_ += finding.is_note ? 0 : 1;
    }
  }
  void Append(Findings other) {
    for (VerifyFinding& finding : other.list_) Add(std::move(finding));
    left_out_ += other.left_out_;
    damages_left_out_ += other.damages_left_out_;
    has_damage_ = has_damage_ || other.has_damage_;
  }
  bool has_damage() const { return has_damage_; }
  bool empty() const { return list_.empty(); }
  std::uint64_t left_out() const { return left_out_; }
  std::uint64_t damages_left_out() const { return damages_left_out_; }
  std::vector<VerifyFinding>& list() { return list_; }
  const std::vector<VerifyFinding>& list() const { return list_; }

 private:
  std::vector<VerifyFinding> list_ = {};
  std::uint64_t left_out_ = 0;
  std::uint64_t damages_left_out_ = 0;
  bool has_damage_ = false;
};

}  // namespace foldlog::verify

#endif  // FOLDLOG_VERIFY_FINDINGS_H_
