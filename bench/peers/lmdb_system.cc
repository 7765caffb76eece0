// LMDB alone: a transaction a checkpoint, appended at the end of one tree.

#include <lmdb.h>

#include "absl/strings/str_cat.h"
#include "bench/peers/key_value.h"
#include "bench/peers/systems.h"
#include "engine/base/status_macros.h"

namespace foldlog::peers {
namespace {

constexpr std::size_t kMapBytes = std::size_t{32} << 30;

absl::Status Checked(int result, const char* call) {
  if (result == MDB_SUCCESS) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("LMDB: ", call, ": ", mdb_strerror(result)));
}

MDB_val ValueOf(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view BytesIn(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

class Lmdb : public KeyValueSystem {
 public:
  ~Lmdb() override { Release(); }

  Description Describe(Level level) const override {
    return {.version = mdb_version(nullptr, nullptr, nullptr),
            .settings = level == Level::kDurable ? "MDB_NOSUBDIR, MDB_APPEND, 32 GiB map"
                                                 : "MDB_NOSUBDIR, MDB_APPEND, 32 GiB map, MDB_NOSYNC | MDB_WRITEMAP",
            .promise = level == Level::kDurable
                           ? "durable on return"
                           : "kill-safe on return; power loss can damage the whole file (lmdb.h, MDB_NOSYNC)",
            .keeps_history = true,
            .shared = true};
  }

  absl::Status OpenStore(const Place& place) override {
    const unsigned flags = MDB_NOSUBDIR | (place.level == Level::kDurable ? 0U : MDB_NOSYNC | MDB_WRITEMAP);
    RETURN_IF_ERROR(OpenEnvironment(place, flags));
    MDB_txn* txn = nullptr;
    RETURN_IF_ERROR(Checked(mdb_txn_begin(environment_, nullptr, 0, &txn), "mdb_txn_begin"));
    RETURN_IF_ERROR(Checked(mdb_dbi_open(txn, nullptr, 0, &table_), "mdb_dbi_open"));
    return Checked(mdb_txn_commit(txn), "mdb_txn_commit");
  }

  absl::Status OpenStoreToRead(const Place& place) override {
    RETURN_IF_ERROR(OpenEnvironment(place, MDB_NOSUBDIR | MDB_RDONLY));
    MDB_txn* txn = nullptr;
    RETURN_IF_ERROR(Checked(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &txn), "mdb_txn_begin"));
    RETURN_IF_ERROR(Checked(mdb_dbi_open(txn, nullptr, 0, &table_), "mdb_dbi_open"));
    return Checked(mdb_txn_commit(txn), "mdb_txn_commit");
  }

  absl::Status Put(int, std::string_view key, std::string_view value) override {
    bool given = false;
    return PutAll([&](std::string_view& key_out, std::string_view& value_out) {
      if (given) return false;
      key_out = key;
      value_out = value;
      return given = true;
    });
  }

  absl::Status PutAll(const NextEntry& next) override {
    MDB_txn* txn = nullptr;
    RETURN_IF_ERROR(Checked(mdb_txn_begin(environment_, nullptr, 0, &txn), "mdb_txn_begin"));
    std::string_view key;
    std::string_view value;
    while (next(key, value)) {
      MDB_val key_given = ValueOf(key);
      MDB_val value_given = ValueOf(value);
      int result = mdb_put(txn, table_, &key_given, &value_given, MDB_APPEND);
      // A thread has overtaken this one.
      if (result == MDB_KEYEXIST) result = mdb_put(txn, table_, &key_given, &value_given, 0);
      if (result == MDB_SUCCESS) continue;
      mdb_txn_abort(txn);
      return Checked(result, "mdb_put");
    }
    return Checked(mdb_txn_commit(txn), "mdb_txn_commit");
  }

  absl::Status MakeDurable() override { return Checked(mdb_env_sync(environment_, 1), "mdb_env_sync"); }

  absl::Status LastBefore(std::string_view bound, const VisitEntry& visit) override {
    return Read([&](MDB_cursor* cursor) {
      MDB_val key = ValueOf(bound);
      MDB_val value;
      int result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
      result = mdb_cursor_get(cursor, &key, &value, result == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
      if (result == MDB_SUCCESS) visit(BytesIn(key), BytesIn(value));
      return result;
    });
  }

  absl::Status Each(const VisitEntry& visit) override {
    return Read([&](MDB_cursor* cursor) {
      MDB_val key;
      MDB_val value;
      int result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
      for (; result == MDB_SUCCESS; result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        visit(BytesIn(key), BytesIn(value));
      }
      return result;
    });
  }

  absl::Status Close() override {
    absl::Status durable = is_reader_ ? absl::OkStatus() : MakeDurable();
    Release();
    return durable;
  }

 private:
  absl::Status OpenEnvironment(const Place& place, unsigned flags) {
    constexpr unsigned kMode = 0666;
    is_reader_ = (flags & MDB_RDONLY) != 0;
    RETURN_IF_ERROR(Checked(mdb_env_create(&environment_), "mdb_env_create"));
    RETURN_IF_ERROR(Checked(mdb_env_set_mapsize(environment_, kMapBytes), "mdb_env_set_mapsize"));
    return Checked(mdb_env_open(environment_, (place.directory + "/log.mdb").c_str(), flags, kMode), "mdb_env_open");
  }

  template <typename Use>
  absl::Status Read(const Use& use) {
    if (reading_ == nullptr) {
      RETURN_IF_ERROR(Checked(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reading_), "mdb_txn_begin"));
    } else {
      RETURN_IF_ERROR(Checked(mdb_txn_renew(reading_), "mdb_txn_renew"));
    }
    MDB_cursor* cursor = nullptr;
    RETURN_IF_ERROR(Checked(mdb_cursor_open(reading_, table_, &cursor), "mdb_cursor_open"));
    const int result = use(cursor);
    mdb_cursor_close(cursor);
    mdb_txn_reset(reading_);
    return result == MDB_NOTFOUND ? absl::OkStatus() : Checked(result, "mdb_cursor_get");
  }

  void Release() {
    if (reading_ != nullptr) mdb_txn_abort(reading_);
    reading_ = nullptr;
    if (environment_ != nullptr) mdb_env_close(environment_);
    environment_ = nullptr;
  }

  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
  MDB_txn* reading_ = nullptr;
  bool is_reader_ = false;
};

}  // namespace

std::unique_ptr<System> NewLmdb() { return std::make_unique<Lmdb>(); }

}  // namespace foldlog::peers
