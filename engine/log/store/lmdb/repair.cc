#include "engine/log/store/lmdb/repair.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/base/file_system.h"
#include "engine/base/status_macros.h"
#include "engine/base/text.h"
#include "engine/log/store/lmdb/file.h"
#include "engine/log/store/lmdb/map_bytes.h"
#include "engine/log/store/lmdb/tree.h"

namespace foldlog {
namespace {

using lmdb_file::File;
using lmdb_file::Meta;
using lmdb_file::Tree;

// Durable at once: LMDB must not open a file whose repair a power cut could still undo in part.
absl::Status WriteTree(int fd, const Tree& tree, std::uint64_t offset, const std::string& path) {
  RETURN_IF_ERROR(WriteFully(fd, std::as_bytes(std::span(&tree, 1)), offset, path));
  return FlushData(fd, path);
}

struct Newest {
  File file;
  std::uint64_t slot;
  Meta meta;
};

absl::StatusOr<Newest> ReadNewest(int fd, const std::string& path) {
  ASSIGN_OR_RETURN(const File file, File::Open(fd, path));
  ASSIGN_OR_RETURN(const lmdb_file::Metas metas, lmdb_file::ReadSoundMetas(file, kMapBytes));
  ASSIGN_OR_RETURN(const std::uint64_t slot, lmdb_file::NewestSlot(file, metas));
  return Newest{file, slot, metas[slot].meta};
}

}  // namespace

// The record lies in the part of the meta page that LMDB itself writes in one go, within a sector.
absl::Status EmptyFreeList(int fd, const std::string& path) {
  ASSIGN_OR_RETURN(const Newest newest, ReadNewest(fd, path));
  const Meta& meta = newest.meta;
  const Tree empty{.pad = meta.free_list.pad, .flags = meta.free_list.flags};
  return WriteTree(fd, empty, newest.slot * meta.page_bytes() + offsetof(Meta, free_list), path);
}

absl::Status EmptyTable(int fd, const std::string& path, std::string_view table) {
  ASSIGN_OR_RETURN(const Newest newest, ReadNewest(fd, path));
  const Meta& meta = newest.meta;
  lmdb_file::TreeCursor main(newest.file, meta, lmdb_file::TreeKind::kMain, "the main database", meta.main);
  ASSIGN_OR_RETURN(const bool found, main.SeekFloor(ToAbsl(table)));
  if (!found || main.node().key != ToAbsl(table) || main.node().data.size() != sizeof(Tree)) {
    return main.Damaged(absl::StrCat("table ", ToAbsl(table), " has no record that could be emptied"));
  }
  // The flags of the node are written first: damage may have hit them, and then the record would not be read as a
  // table's.
  const std::uint64_t node_at = main.value_offset() - table.size() - sizeof(lmdb_file::NodeHeader);
  const std::uint16_t flags = lmdb_file::kSubData;
  RETURN_IF_ERROR(
      WriteFully(fd, std::as_bytes(std::span(&flags, 1)), node_at + offsetof(lmdb_file::NodeHeader, flags), path));
  return WriteTree(fd, Tree{.flags = lmdb_file::kIntegerKey}, main.value_offset(), path);
}

}  // namespace foldlog
