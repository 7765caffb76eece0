// NewFile: a file that gets its name when it is whole, and is gone if anything fails. Until then it has no name at all,
// so that even a program that is killed leaves nothing. Where that is not to be had, it has a temporary one beside it
// and is locked; the next NewFile of the same path removes those whose programs are dead.
//
//   ASSIGN_OR_RETURN(NewFile file, NewFile::Create("events.csv"));
//   RETURN_IF_ERROR(file.Write("…"));
//   return file.Commit();

#ifndef FOLDLOG_CLI_NEW_FILE_H_
#define FOLDLOG_CLI_NEW_FILE_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/file_system.h"

namespace foldlog::cli {

class NewFile {
 public:
  // FailedPrecondition if there is something at `path` already: nothing is replaced.
  static absl::StatusOr<NewFile> Create(const std::string& path);

  // The same for a library that writes the file by itself, and needs a name for that.
  static absl::StatusOr<NewFile> CreateNamed(const std::string& path);

  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  // Adds bytes; they are written when enough have come together.
  absl::Status Write(std::string_view bytes);

  // Makes all of it durable, and gives the file its name.
  absl::Status Commit();

  // Where it is until then; empty if it has no name.
  const std::string& temporary() const { return temporary_; }

 private:
  NewFile(FileDescriptor file, std::string path, std::string temporary)
      : file_(std::move(file)), path_(std::move(path)), temporary_(std::move(temporary)) {}

  absl::Status Flush();

  FileDescriptor file_;
  std::string path_;
  std::string temporary_;  // empty: it has none, or has its own by now, or has been moved from
  std::string buffer_;
  std::uint64_t written_ = 0;
};

}  // namespace foldlog::cli

#endif  // FOLDLOG_CLI_NEW_FILE_H_
