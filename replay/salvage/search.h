// Searches a file for frames and packed batches, wherever they begin. The bytes may be any: what is believed has a
// right hash, and neither memory nor time grows faster than the file.

#ifndef FOLDLOG_SALVAGE_SEARCH_H_
#define FOLDLOG_SALVAGE_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"
#include "engine/log/store/batch.h"
#include "engine/log/store/records.h"
#include "foldlog/event_log.h"

namespace foldlog::salvage {

// A file that is searched. Threads: any.
class SearchedFile {
 public:
  static absl::StatusOr<SearchedFile> Open(const std::string& path);

  // The words of the durable copy in the tail `path`, as they stand in the ring: its pages without their marks. Where
  // the copy ends only an intact header tells; so what follows is read like it, and holds nothing.
  static absl::StatusOr<SearchedFile> OpenCopy(const std::string& path);

  const std::string& path() const { return path_; }
  int fd() const { return file_.get(); }
  std::uint64_t words() const { return words_; }

  // What can't be read is zeros.
  void Read(std::uint64_t word, std::span<std::uint64_t> into) const;

 private:
  SearchedFile(FileDescriptor file, std::string path, std::uint64_t words, bool is_copy)
      : file_(std::move(file)), path_(std::move(path)), words_(words), is_copy_(is_copy) {}

  void ReadCopy(std::uint64_t word, std::span<std::uint64_t> into) const;

  FileDescriptor file_;
  std::string path_;
  std::uint64_t words_;
  bool is_copy_;
};

// Consecutive intact frames, each of which names the one before, and where they are.
struct Piece {
  Sequence first = 0;
  Sequence last = 0;
  std::uint64_t before = 0;        // the hash that the first one names
  std::uint64_t after = 0;         // that of the last one
  std::uint64_t word = 0;          // in the file: of the packed batch, or of the first frame
  std::uint32_t packed_words = 0;  // 0: they are not packed
  std::uint32_t at = 0;            // of the unpacked frames, or those at `word`: where these begin
  std::uint32_t frame_words = 0;
  std::uint32_t file = 0;

  std::uint64_t count() const { return last - first + 1; }
};

struct Found {
  std::vector<Piece> pieces = {};
  std::vector<CommitRecord> commits = {};
  std::vector<FormatRecord> formats = {};
  std::vector<std::string> given_up = {};
};

// Adds what is in the file. `tell` is called now and then with the words that were searched.
void Search(const SearchedFile& file, std::uint32_t number, const std::function<void(std::uint64_t)>& tell,
            Found& found);

// Reads pieces again. Threads: one.
class PieceReader {
 public:
  explicit PieceReader(const std::vector<SearchedFile>& files) : files_(&files) {}

  // The frames of the piece, each intact; valid until the next call. DataLoss if the file has changed.
  absl::StatusOr<std::span<const std::uint64_t>> Load(const Piece& piece);

 private:
  const std::vector<SearchedFile>* files_;
  Piece cached_ = {};  // of which the batch is unpacked
  std::vector<std::uint64_t> stored_;
  BatchCodec codec_{BatchCodec::Buffer::kCleared};
  std::span<const std::uint64_t> frames_;
};

}  // namespace foldlog::salvage

#endif  // FOLDLOG_SALVAGE_SEARCH_H_
