// Any bytes as a value of a column: the first byte chooses its type, the second its wire format, what the column is
// stored as, and its policy. What is accepted must make a sound Arrow array of one value.
#include <arrow/api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "encode/row_encoder.h"
#include "expect.h"

namespace {

using namespace firn;
using namespace firn::encode;

/// By pg_type.oid; arrays name their elements'.
constexpr std::array<TypeOid, 21> kScalars = {16,  17,   18,   19,   20,   21,   23,   25,   26,   114, 700,
                                              701, 1042, 1082, 1083, 1114, 1184, 1186, 1700, 2950, 3802};
constexpr int32_t kDecimal = (9 << 16 | 2) + 4;  // atttypmod of a numeric(9,2)

SourceColumn ColumnOf(uint8_t choice) {
  SourceColumn column{
      .attnum = 1, .name = "c", .type_modifier = choice & 0x40 ? kDecimal : -1, .type_name = "its type"};
  const TypeOid oid = kScalars[choice % 0x20 % kScalars.size()];
  column.type_oid = choice & 0x80 ? 1 : oid;
  column.element_oid = choice & 0x80 ? oid : 0;
  return column;
}

ColumnSettings SettingsOf(uint8_t choice, const SourceColumn& column) {
  ColumnSettings settings{.policy = choice & 2   ? ValuePolicy::kClamp
                                    : choice & 4 ? ValuePolicy::kNull
                                                 : ValuePolicy::kError};
  if (choice & 8) settings.types["c"] = iceberg::Type::Primitive(iceberg::TypeId::kString);
  const bool is_json = column.type_oid == 114 || column.type_oid == 3802;
  if (choice & 16 && is_json) settings.types["c"] = iceberg::Type::Primitive(iceberg::TypeId::kVariant);
  return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const SourceColumn column = ColumnOf(data[0]);
  const auto mapping = MapTable({.name = {"public", "t"}, .columns = {column}}, SettingsOf(data[1], column));
  fuzz::Expect(mapping.has_value(), "a column that can be stored");
  const auto encoder = RowEncoder::Make(*mapping);
  fuzz::Expect(encoder.has_value(), "an encoder for every mapping");
  const WireValue value{.data = reinterpret_cast<const char*>(data + 2),
                        .size = static_cast<int32_t>(size - 2),
                        .format = data[1] & 1 ? WireFormat::kBinary : WireFormat::kText};
  if (const Status appended = (*encoder)->AppendRow({&value, 1}); !appended) {
    fuzz::ExpectFaultOfInput(appended.error());
    return 0;
  }
  const auto rows = (*encoder)->Finish();
  if (!rows) {
    fuzz::ExpectFaultOfInput(rows.error());
    return 0;
  }
  fuzz::Expect(rows->batch->num_rows() == 1 && rows->batch->column(0)->Validate().ok(), "a sound array");
  return 0;
}
