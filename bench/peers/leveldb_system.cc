// LevelDB as a log. It belongs to one process at a time.

#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include "absl/strings/str_cat.h"
#include "bench/peers/key_value.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

constexpr std::size_t kWriteBufferBytes = std::size_t{64} << 20;
constexpr int kFilterBits = 10;

absl::Status Checked(const leveldb::Status& status) {
  return status.ok() ? absl::OkStatus() : absl::InternalError("LevelDB: " + status.ToString());
}

leveldb::Slice SliceOf(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view BytesIn(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

class LevelDb : public KeyValueSystem {
 public:
  Description Describe(Level level) const override {
    return {.version = absl::StrCat(leveldb::kMajorVersion, ".", leveldb::kMinorVersion),
            .settings = absl::StrCat("WriteOptions::sync = ", level == Level::kDurable ? "true" : "false",
                                     "; write buffer of 64 MiB, Snappy, bloom filter of 10 bits"),
            .promise = level == Level::kDurable
                           ? "durable on return"
                           : "kill-safe on return; power loss takes what the kernel has not written yet",
            .keeps_history = true};
  }

  absl::Status OpenStore(const Place& place) override {
    write_.sync = place.level == Level::kDurable;
    filter_.reset(leveldb::NewBloomFilterPolicy(kFilterBits));
    leveldb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = kWriteBufferBytes;
    options.filter_policy = filter_.get();
    leveldb::DB* opened = nullptr;
    RETURN_IF_ERROR(Checked(leveldb::DB::Open(options, place.directory + "/leveldb", &opened)));
    database_.reset(opened);
    return absl::OkStatus();
  }

  absl::Status Put(int, std::string_view key, std::string_view value) override {
    return Checked(database_->Put(write_, SliceOf(key), SliceOf(value)));
  }

  absl::Status PutAll(const NextEntry& next) override {
    batch_.Clear();
    std::string_view key;
    std::string_view value;
    while (next(key, value)) batch_.Put(SliceOf(key), SliceOf(value));
    return Checked(database_->Write(write_, &batch_));
  }

  // A synchronous write makes those before it durable; an empty one is enough.
  absl::Status MakeDurable() override {
    leveldb::WriteOptions options;
    options.sync = true;
    leveldb::WriteBatch empty;
    return Checked(database_->Write(options, &empty));
  }

  absl::Status LastBefore(std::string_view bound, const VisitEntry& visit) override {
    const std::unique_ptr<leveldb::Iterator> at(database_->NewIterator(leveldb::ReadOptions()));
    at->Seek(SliceOf(bound));
    if (at->Valid()) {
      at->Prev();
    } else {
      at->SeekToLast();
    }
    if (at->Valid()) visit(BytesIn(at->key()), BytesIn(at->value()));
    return Checked(at->status());
  }

  absl::Status Each(const VisitEntry& visit) override {
    const std::unique_ptr<leveldb::Iterator> at(database_->NewIterator(leveldb::ReadOptions()));
    for (at->SeekToFirst(); at->Valid(); at->Next()) visit(BytesIn(at->key()), BytesIn(at->value()));
    return Checked(at->status());
  }

  absl::Status Close() override {
    absl::Status durable = MakeDurable();
    database_.reset();
    return durable;
  }

 private:
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> database_;
  leveldb::WriteOptions write_;
  leveldb::WriteBatch batch_;
};

}  // namespace

std::unique_ptr<System> NewLevelDb() { return std::make_unique<LevelDb>(); }

}  // namespace foldlog::peers
