#include "iceberg/parquet_metrics.h"

#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <cassert>
#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "iceberg/single_value.h"

namespace firn::iceberg {
namespace {

struct Leaf {
  const Type* type;
  bool repeated;  // inside a list or map
};

/// The id of the field that a Parquet column's values belong to. A variant's columns have none of their own: those of
/// its metadata, which is there wherever the variant is, count for it; nothing for the other one.
std::optional<FieldId> FieldOf(const parquet::ColumnDescriptor& column) {
  const parquet::schema::Node& node = *column.schema_node();
  const parquet::schema::Node* const parent = node.parent();
  if (parent == nullptr || parent->logical_type() == nullptr || !parent->logical_type()->is_variant()) {
    return node.field_id();
  }
  if (node.name() != "metadata") return std::nullopt;
  return parent->field_id();
}

void CollectLeaves(const Field& field, bool repeated, std::map<FieldId, Leaf>& leaves) {
  if (field.type.is_primitive()) leaves.emplace(field.id, Leaf{&field.type, repeated});
  for (const Field& child : field.type.fields) {
    CollectLeaves(child, repeated || field.type.id != TypeId::kStruct, leaves);
  }
}

/// A minimum or maximum of a column chunk, in the form that its Parquet type has.
using PhysicalValue = std::variant<bool, int32_t, int64_t, float, double, std::string>;

/// Orders two values of one column (parquet.thrift, ColumnOrder: TYPE_ORDER).
bool Less(const PhysicalValue& left, const PhysicalValue& right, bool signed_bytes) {
  if (signed_bytes && std::holds_alternative<std::string>(left)) {
    // Decimals of one width, big-endian: raising both by 2^(n-1) makes their order that of unsigned bytes.
    std::string raised_left = std::get<std::string>(left);
    std::string raised_right = std::get<std::string>(right);
    raised_left.at(0) = static_cast<char>(raised_left.at(0) ^ 0x80);
    raised_right.at(0) = static_cast<char>(raised_right.at(0) ^ 0x80);
    return std::string_view(raised_left) < std::string_view(raised_right);
  }
  return left < right;  // std::string orders by unsigned bytes
}

std::string StringOf(const parquet::ByteArray& value, int) {
  return std::string(reinterpret_cast<const char*>(value.ptr), value.len);
}
std::string StringOf(const parquet::FixedLenByteArray& value, int length) {
  return std::string(reinterpret_cast<const char*>(value.ptr), static_cast<size_t>(length));
}

template <typename ParquetType>
std::pair<PhysicalValue, PhysicalValue> MinMaxAs(const parquet::Statistics& statistics) {
  const auto& typed = static_cast<const parquet::TypedStatistics<ParquetType>&>(statistics);
  if constexpr (std::is_arithmetic_v<typename ParquetType::c_type>) {
    return {typed.min(), typed.max()};
  } else {
    const int length = statistics.descr()->type_length();
    return {StringOf(typed.min(), length), StringOf(typed.max(), length)};
  }
}

std::optional<std::pair<PhysicalValue, PhysicalValue>> MinMax(const parquet::Statistics& statistics) {
  switch (statistics.physical_type()) {
    case parquet::Type::BOOLEAN:
      return MinMaxAs<parquet::BooleanType>(statistics);
    case parquet::Type::INT32:
      return MinMaxAs<parquet::Int32Type>(statistics);
    case parquet::Type::INT64:
      return MinMaxAs<parquet::Int64Type>(statistics);
    case parquet::Type::FLOAT:
      return MinMaxAs<parquet::FloatType>(statistics);
    case parquet::Type::DOUBLE:
      return MinMaxAs<parquet::DoubleType>(statistics);
    case parquet::Type::BYTE_ARRAY:
      return MinMaxAs<parquet::ByteArrayType>(statistics);
    case parquet::Type::FIXED_LEN_BYTE_ARRAY:
      return MinMaxAs<parquet::FLBAType>(statistics);
    default:
      return std::nullopt;
  }
}

bool IsFloat(const Type& type) { return type.id == TypeId::kFloat || type.id == TypeId::kDouble; }

std::optional<std::string> Bound(const PhysicalValue& value, const Type& type, bool upper,
                                 const std::optional<size_t>& truncate_length) {
  if (type.id == TypeId::kDecimal) {
    if (const auto* unscaled = std::get_if<int32_t>(&value)) return DecimalSingleValue(int64_t{*unscaled});
    if (const auto* unscaled = std::get_if<int64_t>(&value)) return DecimalSingleValue(*unscaled);
    return DecimalSingleValue(std::get<std::string>(value));
  }
  if (const auto* bytes = std::get_if<std::string>(&value)) {
    if (truncate_length && type.id == TypeId::kString) {
      if (upper) return UpperBoundOfString(*bytes, *truncate_length);
      return LowerBoundOfString(*bytes, *truncate_length);
    }
    if (truncate_length && type.id == TypeId::kBinary) {
      if (upper) return UpperBoundOfBinary(*bytes, *truncate_length);
      return LowerBoundOfBinary(*bytes, *truncate_length);
    }
    return *bytes;
  }
  return std::visit(
      [](const auto& number) -> std::optional<std::string> {
        if constexpr (std::is_same_v<std::decay_t<decltype(number)>, std::string>) {
          return number;
        } else {
          return SingleValue(number);
        }
      },
      value);
}

/// One column over all row groups.
struct ColumnMetrics {
  int64_t size = 0;
  int64_t values = 0;
  int64_t nulls = 0;
  bool nulls_known = true;
  bool bounds_known = true;
  std::optional<PhysicalValue> min;
  std::optional<PhysicalValue> max;

  void Add(const parquet::ColumnChunkMetaData& chunk, const Leaf& leaf) {
    size += chunk.total_compressed_size();
    values += chunk.num_values();
    const std::shared_ptr<parquet::Statistics> statistics = chunk.is_stats_set() ? chunk.statistics() : nullptr;
    if (!statistics) {
      nulls_known = bounds_known = false;
      return;
    }
    const bool chunk_nulls_known = statistics->HasNullCount();
    nulls_known = nulls_known && chunk_nulls_known;
    if (chunk_nulls_known) nulls += statistics->null_count();
    if (!statistics->HasMinMax()) {
      // A chunk without a single value has no bounds to add; nor has one of NaN alone.
      const bool empty = chunk_nulls_known && statistics->null_count() == chunk.num_values();
      bounds_known = bounds_known && (empty || IsFloat(*leaf.type));
      return;
    }
    auto bounds = MinMax(*statistics);
    if (!bounds) {
      bounds_known = false;
      return;
    }
    const bool signed_bytes = leaf.type->id == TypeId::kDecimal;
    if (!min || Less(bounds->first, *min, signed_bytes)) min = std::move(bounds->first);
    if (!max || Less(*max, bounds->second, signed_bytes)) max = std::move(bounds->second);
  }
};

/// Where a row group starts: its first column's dictionary, where it has one, else its first data page.
int64_t StartOf(const parquet::RowGroupMetaData& group) {
  const auto first = group.ColumnChunk(0);
  const int64_t data = first->data_page_offset();
  if (first->has_dictionary_page() && first->dictionary_page_offset() > 0) {
    return std::min(first->dictionary_page_offset(), data);
  }
  return data;
}

}  // namespace

void FillMetrics(const parquet::FileMetaData& footer, const Schema& schema,
                 const std::map<FieldId, int64_t>& nan_counts, const MetricsOptions& options, DataFile& file) {
  std::map<FieldId, Leaf> leaves;
  for (const Field& field : schema.fields) CollectLeaves(field, false, leaves);

  file.record_count = footer.num_rows();
  std::map<FieldId, ColumnMetrics> columns;
  for (int g = 0; g < footer.num_row_groups(); ++g) {
    const auto group = footer.RowGroup(g);
    if (group->num_columns() > 0) file.split_offsets.push_back(StartOf(*group));
    for (int c = 0; c < group->num_columns(); ++c) {
      const auto id = FieldOf(*footer.schema()->Column(c));
      if (!id) continue;
      const auto leaf = leaves.find(*id);
      assert(leaf != leaves.end());
      if (leaf == leaves.end()) continue;
      columns[*id].Add(*group->ColumnChunk(c), leaf->second);
    }
  }
  for (const auto& [id, column] : columns) {
    const Leaf& leaf = leaves.at(id);
    const bool is_variant = leaf.type->id == TypeId::kVariant;
    if (!is_variant) file.column_sizes[id] = column.size;
    if (options.counts) {
      file.value_counts[id] = column.values;
      if (column.nulls_known) file.null_value_counts[id] = column.nulls;
      if (IsFloat(*leaf.type)) {
        const auto count = nan_counts.find(id);
        file.nan_value_counts[id] = count == nan_counts.end() ? 0 : count->second;
      }
    }
    if (leaf.repeated || is_variant || !column.bounds_known || !column.min || !column.max) continue;
    // Bounds leave NaN out (spec: "Manifests"), but to SQL it equals itself and is greater than any number: engines
    // that look at bounds alone would leave out a file that holds the NaN which a filter asks for.
    if (const auto count = nan_counts.find(id); count != nan_counts.end() && count->second > 0) continue;
    if (auto bound = Bound(*column.min, *leaf.type, false, options.truncate_length)) {
      file.lower_bounds[id] = std::move(*bound);
    }
    if (auto bound = Bound(*column.max, *leaf.type, true, options.truncate_length)) {
      file.upper_bounds[id] = std::move(*bound);
    }
  }
}

}  // namespace firn::iceberg
