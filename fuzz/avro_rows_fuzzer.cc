// Any bytes as an Avro data file, read into columns of every type.
#include <arrow/record_batch.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "expect.h"
#include "iceberg/data_file_reader.h"
#include "testing/memory_file_store.h"

namespace {

using namespace firn;
using namespace firn::iceberg;

Field Column(FieldId id, Type type) { return {.id = id, .name = std::to_string(id), .type = std::move(type)}; }

/// Fields 1 to 20, as make_corpus.py numbers them.
Schema EveryType() {
  Schema schema;
  FieldId id = 0;
  for (const TypeId type : {TypeId::kBoolean, TypeId::kInt, TypeId::kLong, TypeId::kFloat, TypeId::kDouble,
                            TypeId::kDate, TypeId::kTime, TypeId::kTimestamp, TypeId::kTimestampTzNs, TypeId::kString,
                            TypeId::kUuid, TypeId::kBinary, TypeId::kVariant, TypeId::kUnknown}) {
    schema.fields.push_back(Column(++id, Type::Primitive(type)));
  }
  schema.fields.push_back(Column(15, Type::Decimal(20, 2)));
  schema.fields.push_back(Column(16, Type::Fixed(4)));
  const Field element = Column(21, Type::Struct({Column(22, Type::Primitive(TypeId::kLong))}));
  schema.fields.push_back(Column(17, Type::List(element)));
  schema.fields.push_back(Column(18, Type::Map(Column(23, Type::Primitive(TypeId::kString)), element)));
  schema.fields.push_back(Column(19, Type::Map(Column(24, Type::Primitive(TypeId::kInt)), element)));
  schema.fields.push_back(Column(20, element.type));
  return schema;
}

Status ReadAll(std::string_view bytes) {
  testing::MemoryFileStore store;
  TRY_VOID(store.Write("x.avro", bytes));
  TRY(auto reader, DataFileReader::Open(store, DataFile{.file_path = "x.avro", .file_format = "AVRO"}, EveryType()));
  while (true) {
    TRY(const auto rows, reader->Next());
    if (!rows) return {};
    fuzz::Expect(rows->Validate().ok(), "columns that are whole");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Status done = ReadAll({reinterpret_cast<const char*>(data), size});
  // Columns of other types than the table's are the table's fault.
  if (!done.has_value() && done.error().kind() != ErrorKind::kSchemaMismatch) fuzz::ExpectFaultOfInput(done.error());
  return 0;
}
