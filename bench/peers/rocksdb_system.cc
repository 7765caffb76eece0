// RocksDB as a log, with what its wiki ("Setup Options and Basic Tuning") recommends for a new database.

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>

#include "absl/strings/str_cat.h"
#include "bench/peers/key_value.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

absl::Status Checked(const rocksdb::Status& status) {
  return status.ok() ? absl::OkStatus() : absl::InternalError("RocksDB: " + status.ToString());
}

rocksdb::Slice SliceOf(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view BytesIn(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

rocksdb::Options RecommendedOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.level_compaction_dynamic_level_bytes = true;
  options.max_background_jobs = 6;
  options.bytes_per_sync = 1 << 20;
  options.compaction_pri = rocksdb::kMinOverlappingRatio;
  options.compression = rocksdb::kLZ4Compression;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 16 << 10;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksDb : public KeyValueSystem {
 public:
  Description Describe(Level level) const override {
    return {.version = absl::StrCat(ROCKSDB_MAJOR, ".", ROCKSDB_MINOR, ".", ROCKSDB_PATCH),
            .settings = absl::StrCat(
                "WriteOptions::sync = ", level == Level::kDurable ? "true" : "false",
                "; level_compaction_dynamic_level_bytes, max_background_jobs 6, bytes_per_sync 1 MiB,"
                " kMinOverlappingRatio, LZ4, blocks of 16 KiB, index and filter in the cache, bloom filter of 10 bits"),
            .promise = level == Level::kDurable
                           ? "durable on return"
                           : "kill-safe on return; power loss takes what the kernel has not written yet",
            .keeps_history = true,
            .shared = true};
  }

  absl::Status OpenStore(const Place& place) override {
    write_.sync = place.level == Level::kDurable;
    rocksdb::DB* opened = nullptr;
    RETURN_IF_ERROR(Checked(rocksdb::DB::Open(RecommendedOptions(), place.directory + "/rocksdb", &opened)));
    database_.reset(opened);
    return absl::OkStatus();
  }

  // A secondary instance, which reads the files of the primary one.
  absl::Status OpenStoreToRead(const Place& place) override {
    rocksdb::Options options = RecommendedOptions();
    options.max_open_files = -1;
    rocksdb::DB* opened = nullptr;
    RETURN_IF_ERROR(Checked(
        rocksdb::DB::OpenAsSecondary(options, place.directory + "/rocksdb", place.directory + "/secondary", &opened)));
    database_.reset(opened);
    is_secondary_ = true;
    return absl::OkStatus();
  }

  absl::Status Put(int, std::string_view key, std::string_view value) override {
    return Checked(database_->Put(write_, SliceOf(key), SliceOf(value)));
  }

  absl::Status PutAll(const NextEntry& next) override {
    batch_.Clear();
    std::string_view key;
    std::string_view value;
    while (next(key, value)) RETURN_IF_ERROR(Checked(batch_.Put(SliceOf(key), SliceOf(value))));
    return Checked(database_->Write(write_, &batch_));
  }

  absl::Status MakeDurable() override { return Checked(database_->SyncWAL()); }

  absl::Status LastBefore(std::string_view bound, const VisitEntry& visit) override {
    if (is_secondary_) RETURN_IF_ERROR(Checked(database_->TryCatchUpWithPrimary()));
    const std::unique_ptr<rocksdb::Iterator> at(database_->NewIterator(rocksdb::ReadOptions()));
    at->SeekForPrev(SliceOf(bound));
    if (at->Valid()) visit(BytesIn(at->key()), BytesIn(at->value()));
    return Checked(at->status());
  }

  absl::Status Each(const VisitEntry& visit) override {
    rocksdb::ReadOptions options;
    options.readahead_size = 2 << 20;
    const std::unique_ptr<rocksdb::Iterator> at(database_->NewIterator(options));
    for (at->SeekToFirst(); at->Valid(); at->Next()) visit(BytesIn(at->key()), BytesIn(at->value()));
    return Checked(at->status());
  }

  absl::Status Close() override {
    const absl::Status durable = is_secondary_ ? absl::OkStatus() : MakeDurable();
    const absl::Status closed = Checked(database_->Close());
    database_.reset();
    return durable.ok() ? closed : durable;
  }

 private:
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::WriteOptions write_;
  rocksdb::WriteBatch batch_;
  bool is_secondary_ = false;
};

}  // namespace

std::unique_ptr<System> NewRocksDb() { return std::make_unique<RocksDb>(); }

}  // namespace foldlog::peers
