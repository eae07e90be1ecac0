// Any bytes as a Puffin file: its footer, and each blob that the footer names.
#include <arrow/buffer.h>
#include <arrow/io/memory.h>

#include <cstddef>
#include <cstdint>

#include "expect.h"
#include "iceberg/puffin.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn;
  using namespace firn::iceberg;
  arrow::io::BufferReader file(std::make_shared<arrow::Buffer>(data, static_cast<int64_t>(size)));
  const auto footer = ReadPuffinFooter(file);
  if (!footer.has_value()) {
    fuzz::ExpectFaultOfInput(footer.error());
    return 0;
  }
  for (const PuffinBlob& blob : footer->blobs) {
    const auto content = ReadPuffinBlob(file, blob);
    if (!content.has_value()) fuzz::ExpectFaultOfInput(content.error());
  }
  return 0;
}
