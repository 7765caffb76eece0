// What may happen to the files of a log: kinds of damage, each of which can be inflicted in many places.

#ifndef FOLDLOG_TESTS_DAMAGE_DAMAGES_H_
#define FOLDLOG_TESTS_DAMAGE_DAMAGES_H_

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/damage/sample_logs.h"

namespace foldlog::damage {

using Random = std::mt19937_64;

// What is still there to prove that durable events are missing, if they are.
enum class Proof {
  kSharedPage,   // the page that the writer shares with readers, and everything below
  kNewerFrames,  // intact frames of a later flush in the tail
  kStore,        // the commit record in log.mdb
  kNone,         // nothing: bytes were forged so that all hashes are right
};

struct Damage {
  std::string kind = {};
  std::string what = {};  // the file, the place and the change
  std::string file = {};  // its name in the directory
  Proof proof = Proof::kSharedPage;
  std::function<void(const std::string& directory)> inflict = {};  // nothing if the bytes stay as they are
  std::size_t bad_bytes = 0;                                       // of `file`, from `bad_from` on, can't be read
  std::size_t bad_from = 0;
};

struct DamageKind {
  std::string name;
  std::function<Damage(Random&)> pick;  // one of that kind
};

// All kinds for `sample`, which must outlive them, like `other`: a log of other events.
std::vector<DamageKind> DamageKinds(const SampleLog& sample, const SampleLog& other);

}  // namespace foldlog::damage

#endif  // FOLDLOG_TESTS_DAMAGE_DAMAGES_H_
