// Berkeley DB as a log: a transactional environment with one B-tree.

#include <db.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "bench/peers/key_value.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

constexpr u_int32_t kCacheBytes = 64 << 20;
constexpr u_int32_t kLogFileBytes = 64 << 20;
constexpr u_int32_t kLogBufferBytes = 8 << 20;
// A checkpoint of the environment at every so much log, so that an opening has no more than that to read.
constexpr u_int32_t kCheckpointKib = 32 << 10;
constexpr std::int64_t kPutsBetweenChecks = 1024;
constexpr int kMode = 0666;

absl::Status Checked(int result, const char* call) {
  if (result == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("Berkeley DB: ", call, ": ", db_strerror(result)));
}

DBT DbtOf(std::string_view bytes) {
  DBT dbt;
  std::memset(&dbt, 0, sizeof dbt);
  dbt.data = const_cast<char*>(bytes.data());
  dbt.size = static_cast<u_int32_t>(bytes.size());
  return dbt;
}
std::string_view BytesIn(const DBT& dbt) { return {static_cast<const char*>(dbt.data), dbt.size}; }

class BerkeleyDb : public KeyValueSystem {
 public:
  Description Describe(Level level) const override {
    return {
        .version = db_version(nullptr, nullptr, nullptr),
        .settings = absl::StrCat(level == Level::kDurable ? "DB_TXN_SYNC" : "DB_TXN_WRITE_NOSYNC",
                                 "; B-tree, cache of 64 MiB, log buffer of 8 MiB, log files of 64 MiB that are removed,"
                                 " a checkpoint each 32 MiB"),
        .promise = level == Level::kDurable
                       ? "durable on return"
                       : "kill-safe on return; power loss takes what the kernel has not written yet",
        .keeps_history = true,
        .shared = true};
  }

  absl::Status OpenStore(const Place& place) override {
    RETURN_IF_ERROR(OpenEnvironment(place, DB_CREATE | DB_RECOVER | DB_THREAD));
    const u_int32_t flags = place.level == Level::kDurable ? 0 : DB_TXN_WRITE_NOSYNC;
    if (flags != 0) RETURN_IF_ERROR(Checked(environment_->set_flags(environment_, flags, 1), "set_flags"));
    return OpenTable(DB_CREATE | DB_AUTO_COMMIT | DB_THREAD);
  }

  absl::Status OpenStoreToRead(const Place& place) override {
    is_reader_ = true;
    RETURN_IF_ERROR(OpenEnvironment(place, DB_THREAD));
    return OpenTable(DB_RDONLY | DB_THREAD);
  }

  absl::Status Put(int, std::string_view key, std::string_view value) override {
    DBT key_given = DbtOf(key);
    DBT value_given = DbtOf(value);
    int result = 0;
    // Whoever is chosen to end a deadlock tries again, as the manual has it.
    do {
      result = table_->put(table_, nullptr, &key_given, &value_given, DB_AUTO_COMMIT);
    } while (result == DB_LOCK_DEADLOCK);
    RETURN_IF_ERROR(Checked(result, "put"));
    return puts_.fetch_add(1) % kPutsBetweenChecks == 0 ? CheckpointIfDue() : absl::OkStatus();
  }

  absl::Status PutAll(const NextEntry& next) override {
    DB_TXN* txn = nullptr;
    RETURN_IF_ERROR(Checked(environment_->txn_begin(environment_, nullptr, &txn, 0), "txn_begin"));
    std::string_view key;
    std::string_view value;
    while (next(key, value)) {
      DBT key_given = DbtOf(key);
      DBT value_given = DbtOf(value);
      const int result = table_->put(table_, txn, &key_given, &value_given, 0);
      if (result == 0) continue;
      txn->abort(txn);
      return Checked(result, "put");
    }
    RETURN_IF_ERROR(Checked(txn->commit(txn, 0), "commit"));
    return CheckpointIfDue();
  }

  absl::Status MakeDurable() override { return Checked(environment_->log_flush(environment_, nullptr), "log_flush"); }

  absl::Status LastBefore(std::string_view bound, const VisitEntry& visit) override {
    return Read([&](DBC* cursor) {
      DBT key = DbtOf(bound);
      DBT value = DbtOf({});
      int result = cursor->get(cursor, &key, &value, DB_SET_RANGE);
      result = cursor->get(cursor, &key, &value, result == DB_NOTFOUND ? DB_LAST : DB_PREV);
      if (result == 0) visit(BytesIn(key), BytesIn(value));
      return result;
    });
  }

  absl::Status Each(const VisitEntry& visit) override {
    return Read([&](DBC* cursor) {
      DBT key = DbtOf({});
      DBT value = DbtOf({});
      int result = cursor->get(cursor, &key, &value, DB_FIRST);
      for (; result == 0; result = cursor->get(cursor, &key, &value, DB_NEXT)) visit(BytesIn(key), BytesIn(value));
      return result;
    });
  }

  absl::Status Close() override {
    if (!is_reader_) {
      RETURN_IF_ERROR(Checked(environment_->txn_checkpoint(environment_, 0, 0, DB_FORCE), "txn_checkpoint"));
    }
    RETURN_IF_ERROR(Checked(table_->close(table_, 0), "close"));
    return Checked(environment_->close(environment_, 0), "close");
  }

 private:
  absl::Status OpenEnvironment(const Place& place, u_int32_t flags) {
    RETURN_IF_ERROR(Checked(db_env_create(&environment_, 0), "db_env_create"));
    RETURN_IF_ERROR(Checked(environment_->set_cachesize(environment_, 0, kCacheBytes, 1), "set_cachesize"));
    RETURN_IF_ERROR(Checked(environment_->set_lg_max(environment_, kLogFileBytes), "set_lg_max"));
    RETURN_IF_ERROR(Checked(environment_->set_lg_bsize(environment_, kLogBufferBytes), "set_lg_bsize"));
    RETURN_IF_ERROR(Checked(environment_->log_set_config(environment_, DB_LOG_AUTO_REMOVE, 1), "log_set_config"));
    // Threads and processes that wait for each other's pages are found out at once.
    RETURN_IF_ERROR(Checked(environment_->set_lk_detect(environment_, DB_LOCK_DEFAULT), "set_lk_detect"));
    const u_int32_t parts = DB_INIT_TXN | DB_INIT_LOG | DB_INIT_LOCK | DB_INIT_MPOOL;
    return Checked(environment_->open(environment_, place.directory.c_str(), parts | flags, kMode), "open");
  }

  absl::Status OpenTable(u_int32_t flags) {
    RETURN_IF_ERROR(Checked(db_create(&table_, environment_, 0), "db_create"));
    return Checked(table_->open(table_, nullptr, "log.db", nullptr, DB_BTREE, flags, kMode), "open");
  }

  absl::Status CheckpointIfDue() {
    return Checked(environment_->txn_checkpoint(environment_, kCheckpointKib, 0, 0), "txn_checkpoint");
  }

  template <typename Use>
  absl::Status Read(const Use& use) {
    for (;;) {
      DBC* cursor = nullptr;
      RETURN_IF_ERROR(Checked(table_->cursor(table_, nullptr, &cursor, 0), "cursor"));
      const int result = use(cursor);
      cursor->close(cursor);
      if (result == DB_LOCK_DEADLOCK) continue;
      return result == DB_NOTFOUND ? absl::OkStatus() : Checked(result, "get");
    }
  }

  DB_ENV* environment_ = nullptr;
  DB* table_ = nullptr;
  bool is_reader_ = false;
  std::atomic<std::int64_t> puts_ = 0;
};

}  // namespace

std::unique_ptr<System> NewBerkeleyDb() { return std::make_unique<BerkeleyDb>(); }

}  // namespace foldlog::peers
