// Any bytes as a table's metadata file. What is read must come back the same when it is written again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "expect.h"
#include "iceberg/table_metadata_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  using namespace firn::iceberg;
  const auto metadata = ParseTableMetadata(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!metadata.has_value()) {
    fuzz::ExpectFaultOfInput(metadata.error());
    return 0;
  }
  // Whoever reads metadata relies on the ids in it.
  metadata->CurrentSchema(), metadata->DefaultSpec(), metadata->CurrentSnapshot();
  for (const PartitionSpec& spec : metadata->partition_specs) (void)PartitionType(*metadata, spec);
  const std::string text = TableMetadataToText(*metadata);
  const auto again = ParseTableMetadata(text);
  fuzz::Expect(again.has_value(), again.has_value() ? "" : again.error().message());
  fuzz::Expect(TableMetadataToText(*again) == text, "the metadata is what was written");
  return 0;
}
