#include "iceberg/roaring_format.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/try.h"

namespace firn::iceberg {
namespace {

// RoaringFormatSpec, "General layout": a cookie, a header of (key, cardinality - 1) pairs, offsets, containers.
constexpr uint32_t kCookieNoRuns = 12346;
constexpr uint32_t kCookieWithRuns = 12347;  // Its upper half: the number of containers - 1.
constexpr uint32_t kContainersMax = 1 << 16;
constexpr uint32_t kArrayMax = 4096;        // More values than this are a bitset.
constexpr uint32_t kNoOffsetThreshold = 4;  // With runs, fewer containers than this have no offsets.
constexpr size_t kBitsetBytes = 8192;

Error NotABitmap(std::string_view what) { return MakeError(ErrorKind::kCorrupt, "not a Roaring bitmap: {}", what); }

/// Walks over bytes; once they run out, all is zero and `ok` is false.
class Walk {
 public:
  explicit Walk(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Take() {
    T value{};
    const std::string_view bytes = Take(sizeof(T));
    if (ok_) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::string_view Take(size_t count) {
    ok_ = ok_ && count <= rest_.size();
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  bool ok() const { return ok_; }
  size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Container {
  uint32_t cardinality = 0;
  bool is_run = false;
};

bool CheckArray(Walk& walk, uint32_t cardinality) {
  int32_t last = -1;
  for (uint32_t i = 0; i < cardinality; ++i) {
    const int32_t value = walk.Take<uint16_t>();
    if (!walk.ok() || value <= last) return false;
    last = value;
  }
  return true;
}

bool CheckBitset(Walk& walk, uint32_t cardinality) {
  uint32_t count = 0;
  for (size_t i = 0; i < kBitsetBytes / sizeof(uint64_t); ++i) {
    count += static_cast<uint32_t>(std::popcount(walk.Take<uint64_t>()));
  }
  return walk.ok() && count == cardinality;
}

/// Runs are (start, length - 1), ascending, and don't touch.
bool CheckRuns(Walk& walk, uint32_t cardinality) {
  const uint32_t runs = walk.Take<uint16_t>();
  uint32_t count = 0;
  int64_t last = -2;
  for (uint32_t i = 0; i < runs; ++i) {
    const int64_t start = walk.Take<uint16_t>();
    const int64_t end = start + walk.Take<uint16_t>();
    if (!walk.ok() || start <= last + 1 || end >= kContainersMax) return false;
    count += static_cast<uint32_t>(end - start + 1);
    last = end;
  }
  return walk.ok() && count == cardinality;
}

/// Walks over one 32-bit bitmap, all of whose claims must be true.
Status CheckRoaring32(Walk& walk) {
  const auto cookie = walk.Take<uint32_t>();
  uint32_t size = 0;
  std::string_view run_flags;
  const bool with_runs = (cookie & 0xFFFF) == kCookieWithRuns;
  if (with_runs) {
    size = (cookie >> 16) + 1;
    run_flags = walk.Take((size + 7) / 8);
  } else if (cookie == kCookieNoRuns) {
    size = walk.Take<uint32_t>();
  } else {
    return NotABitmap("its cookie is another");
  }
  if (!walk.ok() || size > kContainersMax) return NotABitmap("its header ends too early");
  std::vector<Container> containers(size);
  int32_t last_key = -1;
  for (uint32_t i = 0; i < size; ++i) {
    const int32_t key = walk.Take<uint16_t>();
    containers[i].cardinality = uint32_t{walk.Take<uint16_t>()} + 1;
    containers[i].is_run = with_runs && ((run_flags[i / 8] >> (i % 8)) & 1) != 0;
    if (!walk.ok() || key <= last_key) return NotABitmap("its keys are not ascending");
    last_key = key;
  }
  if (!with_runs || size >= kNoOffsetThreshold) walk.Take(size_t{size} * sizeof(uint32_t));
  for (const Container& container : containers) {
    const bool true_to_header = container.is_run                     ? CheckRuns(walk, container.cardinality)
                                : container.cardinality <= kArrayMax ? CheckArray(walk, container.cardinality)
                                                                     : CheckBitset(walk, container.cardinality);
    if (!true_to_header) return NotABitmap("a container is not what its header says");
  }
  return walk.ok() ? Status{} : NotABitmap("it ends too early");
}

}  // namespace

Result<RowPositions> ReadRoaring64(std::string_view bytes) {
  Walk walk(bytes);
  const auto count = walk.Take<uint64_t>();
  // As the library writes it: its reader goes on after each 32-bit bitmap where that one would end in its own form.
  std::string canonical(bytes.substr(0, sizeof(count)));
  int64_t last_key = -1;
  for (uint64_t i = 0; i < count; ++i) {
    const auto key = walk.Take<uint32_t>();
    if (!walk.ok() || key <= last_key) return NotABitmap("its 64-bit keys are not ascending");
    last_key = key;
    const std::string_view rest = bytes.substr(bytes.size() - walk.left());
    TRY_VOID(CheckRoaring32(walk));
    const Roaring bitmap = Roaring::readSafe(rest.data(), rest.size() - walk.left());
    const size_t begin = canonical.size() + sizeof(key);
    canonical.resize(begin + bitmap.getSizeInBytes());
    std::memcpy(canonical.data() + begin - sizeof(key), &key, sizeof(key));
    bitmap.write(canonical.data() + begin);
  }
  if (!walk.ok() || walk.left() > 0) return NotABitmap("its length is another");
  // The library reads the count as a whole word, so it must be aligned as one.
  std::vector<uint64_t> aligned((canonical.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t));
  std::memcpy(aligned.data(), canonical.data(), canonical.size());
  return RowPositions::read(reinterpret_cast<const char*>(aligned.data()));
}

}  // namespace firn::iceberg
