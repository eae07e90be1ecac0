// Any bytes as a manifest list. What is read must come back the same when it is written again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "expect.h"
#include "iceberg/manifest_list_avro.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  using namespace firn::iceberg;
  const auto manifests = ReadManifestListFile(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!manifests.has_value()) {
    fuzz::ExpectFaultOfInput(manifests.error());
    return 0;
  }
  const auto written = WriteManifestList(3, Snapshot{}, *manifests);
  fuzz::Expect(written.has_value(), "a manifest list can be written");
  const auto again = ReadManifestListFile(*written);
  fuzz::Expect(again.has_value(), "a manifest list that firn wrote can be read");
  fuzz::Expect(*again == *manifests, "the manifests are those that were written");
  return 0;
}
