// Where the fields of a log's files are. Written from schema/FORMAT.md and what is known of LMDB's files, not with the
// code that reads them: a mistake there must not hide a field from the campaign.

#ifndef FOLDLOG_TESTS_DAMAGE_FIELDS_H_
#define FOLDLOG_TESTS_DAMAGE_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace foldlog::damage {

struct Field {
  std::string what;  // "page 7 leaf: node 2: flags"
  std::string kind;  // the same without numbers: "leaf: node: flags"
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

// Every field of every page of an LMDB file, whether or not the newest transaction uses the page.
std::vector<Field> MdbFields(const std::string& file);

// Of the tail: its header, and every frame in its ring.
std::vector<Field> TailFields(const std::string& file);
std::vector<Field> SharedPageFields();
std::vector<Field> SnapshotFileFields(const std::string& file);

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kFrameHeaderBytes = 32;

// Offsets of the frames in the ring, of whatever lap.
std::vector<std::size_t> FramesInTail(const std::string& file);

std::uint64_t Word(const std::string& file, std::size_t offset, std::size_t bytes = 8);
void SetWord(std::string& file, std::size_t offset, std::uint64_t value, std::size_t bytes = 8);

}  // namespace foldlog::damage

#endif  // FOLDLOG_TESTS_DAMAGE_FIELDS_H_
