#include "tests/damage/damages.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "tests/damage/fields.h"
#include "tests/support/file_bytes.h"

namespace foldlog::damage {
namespace {

using Edit = std::function<std::string(std::string& bytes, Random&)>;  // returns what it did

const char* const kFileNames[] = {"log.mdb", "tail", "snapshots", "tail-shm", "writer.lock"};

template <typename Container>
const auto& AnyOf(const Container& container, Random& random) {
  return *std::next(std::begin(container), static_cast<std::ptrdiff_t>(random() % std::size(container)));
}

Proof ProofBeside(const SampleLog& sample, const std::string& file, bool one_place) {
  if (file == "tail-shm") return Proof::kNewerFrames;
  if (file != "tail" || sample.name != "rebooted") return Proof::kSharedPage;
  return one_place ? Proof::kNewerFrames : Proof::kStore;
}

// The kinds of one sample, as they are listed.
class Kinds {
 public:
  Kinds(const SampleLog& sample, const SampleLog& other) : sample_(sample), other_(other) {}

  std::vector<DamageKind> All() {
    for (const char* file : kFileNames) InFile(file);
    Fields("log.mdb", MdbFields(sample_.files.at("log.mdb")));
    Fields("tail", TailFields(sample_.files.at("tail")));
    Fields("tail-shm", SharedPageFields());
    Fields("snapshots", SnapshotFileFields(sample_.files.at("snapshots")));
    OldPages();
    Replacements();
    Forgeries();
    return std::move(kinds_);
  }

 private:
  bool Has(const std::string& file) const {
    const auto found = sample_.files.find(file);
    return found != sample_.files.end() && !found->second.empty();
  }

  void Add(const std::string& name, std::function<Damage(Random&)> pick) {
    kinds_.push_back({name, [name, pick = std::move(pick)](Random& random) {
                        Damage damage = pick(random);
                        damage.kind = name;
                        return damage;
                      }});
  }

  // A change of the bytes of a file.
  void AddEdit(const std::string& file, const std::string& kind, Proof proof, Edit edit) {
    if (!Has(file)) return;
    Add(file + ": " + kind, [this, file, proof, edit = std::move(edit)](Random& random) {
      auto bytes = std::make_shared<std::string>(sample_.files.at(file));
      const std::string what = edit(*bytes, random);
      return Damage{.what = file + ": " + what, .file = file, .proof = proof, .inflict = [=](const std::string& log) {
                      WriteFile(log + "/" + file, *bytes);
                    }};
    });
  }

  void InFile(const std::string& file) {
    const Proof place = ProofBeside(sample_, file, true);
    const Proof range = ProofBeside(sample_, file, false);
    AddEdit(file, "random bit", place, [](std::string& bytes, Random& random) {
      const std::size_t bit = random() % (bytes.size() * 8);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      return "bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8) + " flipped";
    });
    AddEdit(file, "zeroed", range, [](std::string& bytes, Random& random) { return Fill(bytes, random, '\0'); });
    AddEdit(file, "all ones", range, [](std::string& bytes, Random& random) { return Fill(bytes, random, '\xff'); });
    AddEdit(file, "garbage", range, [](std::string& bytes, Random& random) {
      const auto [from, to] = Range(bytes.size(), random);
      for (std::size_t i = from; i < to; ++i) bytes[i] = static_cast<char>(random());
      return "garbage from " + std::to_string(from) + " to " + std::to_string(to);
    });
    AddEdit(file, "cut short", range, [](std::string& bytes, Random& random) {
      const std::size_t size = bytes.size();
      const std::size_t to[] = {0,
                                1,
                                8,
                                4095,
                                kPageBytes,
                                2 * kPageBytes,
                                size - 1,
                                size / 2,
                                size - kPageBytes,
                                random() % size,
                                random() % size / kPageBytes * kPageBytes};
      bytes.resize(std::min(size, AnyOf(to, random)));
      return "cut to " + std::to_string(bytes.size()) + " bytes";
    });
    AddEdit(file, "longer", ProofBeside(sample_, file, true), [](std::string& bytes, Random& random) {
      bytes.append(1 + random() % 10000, random() % 2 == 0 ? '\0' : 'x');
      return "made " + std::to_string(bytes.size()) + " bytes long";
    });
    AddEdit(file, "swapped pages", range, SwapPages);
    BadSector(file);
  }

  static std::pair<std::size_t, std::size_t> Range(std::size_t size, Random& random) {
    const std::size_t unit = random() % 2 == 0 ? 512 : kPageBytes;
    const std::size_t from = random() % size / unit * unit;
    return {from, std::min(size, from + unit * (random() % 4 == 0 ? 1 + random() % 8 : 1))};
  }

  static std::string Fill(std::string& bytes, Random& random, char value) {
    const auto [from, to] = Range(bytes.size(), random);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(to),
              value);
    return "filled from " + std::to_string(from) + " to " + std::to_string(to);
  }

  static std::string SwapPages(std::string& bytes, Random& random) {
    const std::size_t pages = std::max<std::size_t>(1, bytes.size() / kPageBytes);
    const std::size_t one = random() % pages;
    const std::size_t other = random() % pages;
    if (bytes.size() >= kPageBytes) {
      std::swap_ranges(&bytes[one * kPageBytes], &bytes[one * kPageBytes] + kPageBytes, &bytes[other * kPageBytes]);
    }
    return "pages " + std::to_string(one) + " and " + std::to_string(other) + " swapped";
  }

  // Cannot be read, although the file system says that it is there.
  void BadSector(const std::string& file) {
    if (!Has(file)) return;
    Add(file + ": unreadable sector", [this, file](Random& random) {
      const std::size_t page = random() % (sample_.files.at(file).size() / kPageBytes + 1);
      const bool all = random() % 4 == 0;
      return Damage{.what = file + ": " + (all ? "no page" : "page " + std::to_string(page) + " not") + " to be read",
                    .file = file,
                    .proof = ProofBeside(sample_, file, false),
                    .bad_bytes = all ? ~std::size_t{0} : kPageBytes,
                    .bad_from = all ? 0 : page * kPageBytes};
    });
  }

  void Fields(const std::string& file, const std::vector<Field>& fields) {
    std::map<std::string, std::vector<Field>> by_kind;
    for (const Field& field : fields) by_kind[field.kind].push_back(field);
    for (const auto& [kind, of_kind] : by_kind) {
      AddEdit(file, kind, ProofBeside(sample_, file, true), [of_kind = of_kind](std::string& bytes, Random& random) {
        const Field& field = AnyOf(of_kind, random);
        const std::uint64_t before = Word(bytes, field.offset, field.bytes);
        SetWord(bytes, field.offset, Another(before, field.bytes, random), field.bytes);
        return field.what + ", " + std::to_string(field.bytes) + " bytes at " + std::to_string(field.offset) + ": " +
               std::to_string(before) + " made " + std::to_string(Word(bytes, field.offset, field.bytes));
      });
    }
  }

  static std::uint64_t Another(std::uint64_t value, std::size_t bytes, Random& random) {
    const std::uint64_t bit = std::uint64_t{1} << random() % (8 * std::max<std::size_t>(bytes, 1));
    const std::uint64_t choices[] = {
        value ^ bit, value ^ bit,       value ^ bit,   0,
        1,           ~std::uint64_t{0}, value + 1,     value - 1,
        value * 2,   random(),          random() % 64, std::uint64_t{1} << (8 * bytes - 1)};
    return AnyOf(choices, random);
  }

  void OldPages() {
    AddEdit("log.mdb", "page of an older transaction", Proof::kSharedPage, [this](std::string& bytes, Random& random) {
      const std::string& older = sample_.older_mdb;
      const std::size_t page = random() % (older.size() / kPageBytes) * kPageBytes;
      bytes.replace(page, kPageBytes, older, page, kPageBytes);
      return "page " + std::to_string(page / kPageBytes) + " as it was earlier";
    });
    AddEdit("log.mdb", "the whole file as it was earlier", Proof::kSharedPage, [this](std::string& bytes, Random&) {
      bytes = sample_.older_mdb;
      return "as it was earlier";
    });
    for (const char* file : kFileNames) {
      const bool whole = file == std::string_view("log.mdb") || file == std::string_view("tail");
      const Proof proof = whole ? ProofBeside(sample_, file, false) : Proof::kNewerFrames;
      AddEdit(file, "of another log", proof, [this, file = std::string(file)](std::string& bytes, Random& random) {
        const std::string& strange = other_.files.at(file);
        const std::size_t pages = std::min(strange.size(), bytes.size()) / kPageBytes;
        if (pages == 0 || random() % 2 == 0) return bytes = strange, std::string("the file of another log");
        const std::size_t page = random() % pages * kPageBytes;
        bytes.replace(page, kPageBytes, strange, page, kPageBytes);
        return "a page of another log at " + std::to_string(page);
      });
    }
  }

  void AddReplacement(const std::string& name, const std::function<bool(const std::string& path)>& make);
  void Replacements();
  void Forgeries();

  const SampleLog& sample_;
  const SampleLog& other_;
  std::vector<DamageKind> kinds_;
};

// Something else in the place of a file.
void Kinds::AddReplacement(const std::string& name, const std::function<bool(const std::string& path)>& make) {
  Add("replaced by " + name, [this, name, make](Random& random) {
    const std::string file = random() % 6 == 0 ? "log.mdb-lock" : AnyOf(kFileNames, random);
    return Damage{.what = file + ": replaced by " + name,
                  .file = file,
                  .proof = ProofBeside(sample_, file, false),
                  .inflict = [=](const std::string& log) {
                    const std::string path = log + "/" + file;
                    std::filesystem::remove_all(path);
                    make(path);
                  }};
  });
}

bool MakeSocket(const std::string& path) {
  // Its name is bound by a path that may be longer than a socket's address.
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(std::filesystem::path(path).parent_path());
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::filesystem::path(path).filename().string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool made = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  std::filesystem::current_path(before);
  return made;
}

void Kinds::Replacements() {
  AddReplacement("nothing", [](const std::string&) { return true; });
  AddReplacement("a directory", [](const std::string& path) { return mkdir(path.c_str(), 0755) == 0; });
  AddReplacement("a FIFO", [](const std::string& path) { return mkfifo(path.c_str(), 0644) == 0; });
  AddReplacement("a socket", MakeSocket);
  AddReplacement("a link to nothing", [](const std::string& path) { return symlink("nothing", path.c_str()) == 0; });
  AddReplacement("a link to itself", [](const std::string& path) { return symlink(path.c_str(), path.c_str()) == 0; });
  AddReplacement("a link to /dev/zero",
                 [](const std::string& path) { return symlink("/dev/zero", path.c_str()) == 0; });
  AddReplacement("a link to /dev/full",
                 [](const std::string& path) { return symlink("/dev/full", path.c_str()) == 0; });
  if (geteuid() == 0) {
    AddReplacement("a device",
                   [](const std::string& path) { return mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0; });
  }
  AddReplacement("an empty file", [](const std::string& path) { return WriteFile(path, ""), true; });
  AddReplacement("a huge sparse file", [](const std::string& path) {
    WriteFile(path, "x");
    return truncate(path.c_str(), off_t{1} << 40) == 0;
  });
  AddReplacement("a link to another log's file", [this](const std::string& path) {
    const std::string file = std::filesystem::path(path).filename();
    const std::string strange = std::filesystem::path(path).parent_path().string() + ".other-" + file;
    WriteFile(strange, other_.files.contains(file) ? other_.files.at(file) : "");
    return symlink(strange.c_str(), path.c_str()) == 0;
  });
}

// Numbers the hashes of all frames from `at` on anew, so that they are a chain again.
void Reseal(std::string& tail, const std::vector<std::size_t>& frames, std::size_t first) {
  for (std::size_t i = first; i < frames.size(); ++i) {
    const std::size_t at = frames[i];
    const std::size_t bytes = kFrameHeaderBytes + Word(tail, at + 4, 4);
    if (at + bytes > tail.size()) return;
    SetWord(tail, at + 8, XXH3_64bits(tail.data() + at + 16, bytes - 16));
    if (i + 1 < frames.size() && Word(tail, frames[i + 1] + 24) == Word(tail, at + 24) + 1) {
      SetWord(tail, frames[i + 1] + 16, Word(tail, at + 8));
    }
  }
}

// Bytes that nobody but a person with a purpose puts there: no event is right or wrong then, but nothing may break.
void Kinds::Forgeries() {
  AddEdit("tail", "hostile event", Proof::kNone, [](std::string& bytes, Random& random) {
    const auto frames = FramesInTail(bytes);
    const std::size_t newest = frames.size() - std::min<std::size_t>(frames.size(), 30);
    const std::size_t victim = newest + random() % (frames.size() - newest);
    const std::size_t words = Word(bytes, frames[victim] + 4, 4) / 8;
    std::string what = "hostile words in event " + std::to_string(Word(bytes, frames[victim] + 24)) + ":";
    for (std::size_t changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = frames[victim] + kFrameHeaderBytes + 8 * (random() % words);
      SetWord(bytes, at, Another(Word(bytes, at), 8, random));
      what += " " + std::to_string(at);
    }
    Reseal(bytes, frames, victim);
    return what;
  });
  AddEdit("tail", "nothing but magic numbers", Proof::kNone, [](std::string& bytes, Random& random) {
    const std::uint64_t size = random() % 2 == 0 ? 4 << 20 : 8 * (1 + random() % 8192);
    for (std::size_t at = kPageBytes; at + 8 <= bytes.size(); at += 8) SetWord(bytes, at, 0x31474c46 | size << 32);
    return "nothing but magic numbers of frames of " + std::to_string(size) + " bytes";
  });
  AddEdit("tail", "a header with its hash", Proof::kNone, [](std::string& bytes, Random& random) {
    const std::size_t at = 8 * (random() % 5);
    SetWord(bytes, at, Another(Word(bytes, at), 8, random));
    SetWord(bytes, 40, XXH3_64bits(bytes.data(), 40));
    return "the header's word at " + std::to_string(at) + " changed, with its hash";
  });
  AddEdit("snapshots", "hostile snapshot", Proof::kNone, [](std::string& bytes, Random& random) {
    const std::size_t words = std::min<std::size_t>(Word(bytes, 8), 8188);
    for (int i = 0; i < 2; ++i) {
      const std::size_t at = 32 + 8 * (random() % std::max<std::size_t>(words, 1));
      SetWord(bytes, at, Another(Word(bytes, at), 8, random));
    }
    SetWord(bytes, 0, XXH3_64bits(bytes.data() + 8, 24 + 8 * words));
    return "hostile words in the first snapshot";
  });
  AddEdit("writer.lock", "hostile text", Proof::kSharedPage, [](std::string& bytes, Random& random) {
    const char* const texts[] = {"pid 99999999999999999999999\n",
                                 "pid -1\n",
                                 "pid 1\n",
                                 "start_ticks x\n",
                                 "program \x1b[31m\n",
                                 "closed_cleanly\n",
                                 "boot \n",
                                 "foldlog writer 2\n",
                                 "events_from_tail 18446744073709551615\n"};
    const std::string text = AnyOf(texts, random);
    bytes.replace(random() % 2 == 0 ? 17 : random() % 400, text.size(), text);
    return "text replaced by " + text.substr(0, text.size() - 1);
  });
}

}  // namespace

std::vector<DamageKind> DamageKinds(const SampleLog& sample, const SampleLog& other) {
  // Shared, because each kind refers to what all have in common.
  const auto kinds = std::make_shared<Kinds>(sample, other);
  std::vector<DamageKind> all = kinds->All();
  for (DamageKind& kind : all) {
    kind.pick = [kinds, pick = std::move(kind.pick)](Random& random) { return pick(random); };
  }
  return all;
}

}  // namespace foldlog::damage
