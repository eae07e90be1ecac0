#include "iceberg/avro_columns.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_time.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/util/decimal.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/try.h"
#include "iceberg/field_values.h"
#include "iceberg/row_bytes.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

/// The branch of a union that is not null; the type itself where it is no union. Null for a union of several.
const AvroType* Present(const AvroType& type) {
  if (type.kind != AvroKind::kUnion) return &type;
  const AvroType* present = nullptr;
  for (const auto& branch : type.branches) {
    if (branch->kind == AvroKind::kNull) continue;
    if (present != nullptr) return nullptr;
    present = branch.get();
  }
  return present;
}

/// A map with keys of any type is an array of pairs.
bool IsPairs(const AvroType& type) {
  return type.kind == AvroKind::kArray && type.logical_type == "map" && type.branches[0]->kind == AvroKind::kRecord &&
         type.branches[0]->fields.size() == 2;
}

bool IsInteger(AvroKind kind) { return kind == AvroKind::kInt || kind == AvroKind::kLong; }
bool IsBytes(AvroKind kind) {
  return kind == AvroKind::kBytes || kind == AvroKind::kString || kind == AvroKind::kFixed;
}

constexpr int64_t kMicrosPerDay = int64_t{86'400} * 1'000'000;
constexpr int64_t kNanosPerDay = kMicrosPerDay * 1'000;

/// What a stored integer is to be multiplied by for `type`; 0 where it can't be one.
int64_t FactorOf(const AvroType& stored, TypeId type) {
  const std::string& logical = stored.logical_type;
  switch (type) {
    case TypeId::kInt:
    case TypeId::kLong:
      return logical.empty() ? 1 : 0;
    case TypeId::kDate:
      return logical == "date" ? 1 : 0;
    case TypeId::kTime:
      return logical == "time-micros" ? 1 : logical == "time-millis" ? 1'000 : 0;
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      if (logical == "date") return type == TypeId::kTimestamp ? kMicrosPerDay : 0;
      if (logical.ends_with("timestamp-micros")) return 1;
      return logical.ends_with("timestamp-millis") ? 1'000 : 0;
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      if (logical == "date") return type == TypeId::kTimestampNs ? kNanosPerDay : 0;
      return logical.ends_with("timestamp-nanos") ? 1 : 0;
    default:
      return 0;
  }
}

}  // namespace

struct AvroColumns::Plan {
  const AvroType* stored = nullptr;  ///< Not a union.
  Type type;
  int64_t factor = 1;                                         ///< Of integers.
  std::vector<std::unique_ptr<Plan>> children;                ///< By field of `type`; null: missing in the file.
  std::vector<int> targets;                                   ///< Of a record's fields: the child, -1 to skip it.
  std::vector<std::shared_ptr<arrow::Scalar>> missing_value;  ///< By child, where that is missing.
  std::unique_ptr<arrow::ArrayBuilder> builder;               ///< Of the top level only: a struct of all columns.
};

namespace {

using Plan = AvroColumns::Plan;

Result<std::unique_ptr<Plan>> MakePlan(const AvroType& declared, const FileColumn& column, const Field& field);

/// Plans a record: `missing` gives what a field has that the record lacks.
template <typename Missing>
Status PlanRecord(const AvroType& record, const std::vector<FileColumn>& columns, const std::vector<Field>& fields,
                  Missing missing, Plan& plan) {
  plan.stored = &record;
  plan.targets.assign(record.fields.size(), -1);
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto found = std::ranges::find(columns, std::optional(fields[i].id), &FileColumn::id);
    if (found == columns.end()) {
      plan.children.emplace_back();
      TRY(plan.missing_value.emplace_back(), missing(fields[i]));
      continue;
    }
    const auto position = static_cast<size_t>(found - columns.begin());
    if (plan.targets[position] >= 0) return MakeError(ErrorKind::kUnsupported, "a column that is projected twice");
    plan.targets[position] = static_cast<int>(i);
    TRY(plan.children.emplace_back(), MakePlan(*record.fields[position].type, *found, fields[i]));
    plan.missing_value.emplace_back();
  }
  return {};
}

/// A variant's two parts have no ids: they go by name.
Status PlanVariant(const AvroType& record, Plan& plan) {
  constexpr std::pair<std::string_view, int> kParts[] = {{"metadata", 0}, {"value", 1}};
  plan.targets.assign(record.fields.size(), -1);
  plan.children.resize(2);
  plan.missing_value.resize(2);
  for (const auto& [name, child] : kParts) {
    const auto found = std::ranges::find(record.fields, name, &AvroType::RecordField::name);
    if (found == record.fields.end() || found->type->kind != AvroKind::kBytes) {
      return MakeError(ErrorKind::kCorrupt, "a variant without {}", name);
    }
    plan.targets[static_cast<size_t>(found - record.fields.begin())] = child;
    auto part = std::make_unique<Plan>();
    part->stored = found->type.get();
    part->type = Type::Primitive(TypeId::kBinary);
    plan.children[static_cast<size_t>(child)] = std::move(part);
  }
  return {};
}

Status PlanMap(const AvroType& stored, const FileColumn& column, const Type& type, Plan& plan) {
  TRY(plan.children.emplace_back(),
      stored.kind == AvroKind::kMap
          ? Result<std::unique_ptr<Plan>>(std::make_unique<Plan>())
          : MakePlan(*stored.branches[0]->fields[0].type, column.children.at(0), type.fields.at(0)));
  const AvroType& value = stored.kind == AvroKind::kMap ? *stored.branches[0] : *stored.branches[0]->fields[1].type;
  TRY(plan.children.emplace_back(), MakePlan(value, column.children.at(1), type.fields.at(1)));
  return {};
}

/// May values of the stored type be read as ones of the plan's? The spec's types and promotions.
bool Matches(const AvroType& stored, const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return stored.kind == AvroKind::kBoolean;
    case TypeId::kInt:
    case TypeId::kDate:
      return stored.kind == AvroKind::kInt && FactorOf(stored, type.id) != 0;
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return IsInteger(stored.kind) && FactorOf(stored, type.id) != 0;
    case TypeId::kFloat:
      return stored.kind == AvroKind::kFloat;
    case TypeId::kDouble:
      return stored.kind == AvroKind::kFloat || stored.kind == AvroKind::kDouble;
    case TypeId::kDecimal:
      return stored.kind == AvroKind::kFixed || stored.kind == AvroKind::kBytes;
    case TypeId::kUuid:
      return stored.kind == AvroKind::kFixed && stored.fixed_size == 16;
    case TypeId::kFixed:
      return stored.kind == AvroKind::kFixed && stored.fixed_size == type.length;
    case TypeId::kString:
    case TypeId::kBinary:
    case TypeId::kGeometry:
    case TypeId::kGeography:
      return IsBytes(stored.kind);
    case TypeId::kStruct:
    case TypeId::kVariant:
      return stored.kind == AvroKind::kRecord;
    case TypeId::kList:
      return stored.kind == AvroKind::kArray && !IsPairs(stored);
    case TypeId::kMap:
      return IsPairs(stored) || (stored.kind == AvroKind::kMap && type.fields.at(0).type.id == TypeId::kString);
    case TypeId::kUnknown:
      return true;
  }
  return false;
}

Result<std::unique_ptr<Plan>> MakePlan(const AvroType& declared, const FileColumn& column, const Field& field) {
  auto plan = std::make_unique<Plan>();
  plan->type = field.type;
  const AvroType* stored = Present(declared);
  const bool only_null = stored == nullptr && declared.kind == AvroKind::kUnion && declared.branches.size() <= 1;
  if (only_null || (stored != nullptr && stored->kind == AvroKind::kNull)) {  // A column that was unknown: nulls.
    plan->stored = &declared;
    return plan;
  }
  if (stored == nullptr || !Matches(*stored, field.type)) {
    return MakeError(ErrorKind::kSchemaMismatch, "column {} is {} in the table but of another type in the Avro file",
                     field.name, ToString(field.type));
  }
  plan->stored = stored;
  plan->factor = FactorOf(*stored, field.type.id);
  const auto nested = [&]() -> Status {
    switch (field.type.id) {
      case TypeId::kStruct:
        return PlanRecord(*stored, column.children, field.type.fields, InitialValue, *plan);
      case TypeId::kVariant:
        return PlanVariant(*stored, *plan);
      case TypeId::kList: {
        TRY(plan->children.emplace_back(),
            MakePlan(*stored->branches[0], column.children.at(0), field.type.fields.at(0)));
        return {};
      }
      case TypeId::kMap:
        return PlanMap(*stored, column, field.type, *plan);
      default:
        return {};
    }
  };
  TRY_VOID(nested().Context("column {}", field.name));
  return plan;
}

/// Appends values to builders. The decoder keeps what is wrong with the bytes, the status what Arrow says.
class Appender {
 public:
  explicit Appender(AvroDecoder& decoder) : decoder_(decoder) {}

  arrow::Status Value(const AvroType& declared, const Plan& plan, arrow::ArrayBuilder& builder) {
    const AvroType& stored = decoder_.Resolve(declared);
    if (!decoder_.ok()) return builder.AppendNull();
    if (stored.kind == AvroKind::kNull) return builder.AppendNull();
    switch (plan.type.id) {
      case TypeId::kUnknown:
        decoder_.Skip(stored);
        return builder.AppendNull();
      case TypeId::kBoolean:
        return static_cast<arrow::BooleanBuilder&>(builder).Append(decoder_.Boolean(stored));
      case TypeId::kInt:
        return static_cast<arrow::Int32Builder&>(builder).Append(decoder_.Int(stored));
      case TypeId::kDate:
        return static_cast<arrow::Date32Builder&>(builder).Append(decoder_.Int(stored));
      case TypeId::kLong:
        return static_cast<arrow::Int64Builder&>(builder).Append(decoder_.Long(stored));
      case TypeId::kTime:
        return static_cast<arrow::Time64Builder&>(builder).Append(Scaled(stored, plan.factor));
      case TypeId::kTimestamp:
      case TypeId::kTimestampTz:
      case TypeId::kTimestampNs:
      case TypeId::kTimestampTzNs:
        return static_cast<arrow::TimestampBuilder&>(builder).Append(Scaled(stored, plan.factor));
      case TypeId::kFloat:
        return static_cast<arrow::FloatBuilder&>(builder).Append(decoder_.Float(stored));
      case TypeId::kDouble:
        return static_cast<arrow::DoubleBuilder&>(builder).Append(decoder_.Double(stored));
      case TypeId::kDecimal:
        return Decimal(stored, plan, static_cast<arrow::Decimal128Builder&>(builder));
      case TypeId::kUuid:
      case TypeId::kFixed:
        return Fixed(stored, static_cast<arrow::FixedSizeBinaryBuilder&>(builder));
      case TypeId::kString:
      case TypeId::kBinary:
      case TypeId::kGeometry:
      case TypeId::kGeography:
        return static_cast<arrow::BinaryBuilder&>(builder).Append(decoder_.Bytes(stored));
      case TypeId::kVariant:
      case TypeId::kStruct: {
        auto& structs = static_cast<arrow::StructBuilder&>(builder);
        ARROW_RETURN_NOT_OK(structs.Append());
        return Record(stored, plan, structs);
      }
      case TypeId::kList:
        return List(stored, plan, static_cast<arrow::ListBuilder&>(builder));
      case TypeId::kMap:
        return Map(stored, plan, static_cast<arrow::MapBuilder&>(builder));
    }
    return builder.AppendNull();
  }

  arrow::Status Record(const AvroType& stored, const Plan& plan, arrow::StructBuilder& builder) {
    arrow::Status status;
    size_t position = 0;
    std::vector<bool> appended(plan.children.size());
    decoder_.Record(stored, [&](int32_t, const AvroType& field) {
      const int target = plan.targets[position++];
      if (target < 0 || !status.ok()) return decoder_.Skip(field);
      appended[static_cast<size_t>(target)] = true;
      status = Value(field, *plan.children[static_cast<size_t>(target)], *builder.child(target));
    });
    // Those that the file lacks; all are as long as the others, even after a malformed byte.
    for (size_t i = 0; i < plan.children.size() && status.ok(); ++i) {
      if (appended[i]) continue;
      arrow::ArrayBuilder& child = *builder.child(static_cast<int>(i));
      status = plan.missing_value[i] ? child.AppendScalar(*plan.missing_value[i]) : child.AppendNull();
    }
    return status;
  }

 private:
  int64_t Scaled(const AvroType& stored, int64_t factor) {
    const int64_t value = decoder_.Long(stored);
    int64_t scaled = 0;
    if (__builtin_mul_overflow(value, factor, &scaled)) decoder_.Fail("a time that is out of range");
    return scaled;
  }

  arrow::Status Decimal(const AvroType& stored, const Plan& plan, arrow::Decimal128Builder& builder) {
    const std::string bytes = decoder_.Bytes(stored);
    if (!decoder_.ok()) return builder.AppendNull();
    const auto number = arrow::Decimal128::FromBigEndian(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                         static_cast<int32_t>(bytes.size()));
    if (!number.ok() || !number->FitsInPrecision(plan.type.precision)) {
      decoder_.Fail("a decimal that is out of range");
      return builder.AppendNull();
    }
    return builder.Append(*number);
  }

  arrow::Status Fixed(const AvroType& stored, arrow::FixedSizeBinaryBuilder& builder) {
    const std::string bytes = decoder_.Bytes(stored);
    return decoder_.ok() ? builder.Append(bytes) : builder.AppendNull();
  }

  arrow::Status List(const AvroType& stored, const Plan& plan, arrow::ListBuilder& builder) {
    arrow::Status status = builder.Append();
    decoder_.Array(stored, [&](const AvroType& item) {
      if (!status.ok()) return decoder_.Skip(item);
      status = Value(item, *plan.children[0], *builder.value_builder());
    });
    return status;
  }

  arrow::Status Map(const AvroType& stored, const Plan& plan, arrow::MapBuilder& builder) {
    arrow::Status status = builder.Append();
    if (stored.kind == AvroKind::kMap) {
      std::string key;
      decoder_.Map(stored, key, [&](const AvroType& value) {
        if (status.ok()) status = static_cast<arrow::BinaryBuilder&>(*builder.key_builder()).Append(key);
        if (!status.ok()) return decoder_.Skip(value);
        status = Value(value, *plan.children[1], *builder.item_builder());
      });
      return status;
    }
    decoder_.Array(stored, [&](const AvroType& pair) {
      size_t part = 0;
      decoder_.Record(pair, [&](int32_t, const AvroType& value) {
        if (!status.ok()) return decoder_.Skip(value);
        arrow::ArrayBuilder& target = part == 0 ? *builder.key_builder() : *builder.item_builder();
        status = Value(value, *plan.children[part], target);
        ++part;
      });
      if (!decoder_.ok()) status = arrow::Status::Invalid("a map that ends early");
    });
    return status;
  }

  AvroDecoder& decoder_;
};

constexpr int kColumnsMax = 100'000;  // A schema that uses its named types again and again can have 2^64.

/// Makes the columns of records of a type.
class ColumnWalk {
 public:
  Result<std::vector<FileColumn>> Record(const AvroType& record) {
    std::vector<FileColumn> columns;
    for (const AvroType::RecordField& field : record.fields) {
      const auto id = field.field_id >= 0 ? std::optional(field.field_id) : std::nullopt;
      TRY(columns.emplace_back(), Column(field.name, id, *field.type));
    }
    return columns;
  }

 private:
  Result<FileColumn> Column(std::string name, std::optional<FieldId> id, const AvroType& declared) {
    if (--left_ < 0) return MakeError(ErrorKind::kUnsupported, "its schema has more than {} columns", kColumnsMax);
    FileColumn column{.name = std::move(name), .id = id};
    const AvroType* type = Present(declared);
    if (type == nullptr) return column;
    if (type->kind == AvroKind::kRecord) {
      TRY(column.children, Record(*type));
    } else if (type->kind == AvroKind::kMap) {
      column.children.push_back({.name = "key"});
      TRY(column.children.emplace_back(), Column("value", std::nullopt, *type->branches[0]));
    } else if (IsPairs(*type)) {
      TRY(column.children, Record(*type->branches[0]));
    } else if (type->kind == AvroKind::kArray) {
      TRY(column.children.emplace_back(), Column("element", std::nullopt, *type->branches[0]));
    }
    return column;
  }

  int left_ = kColumnsMax;
};

}  // namespace

AvroColumns::AvroColumns() = default;
AvroColumns::~AvroColumns() = default;
AvroColumns::AvroColumns(AvroColumns&&) noexcept = default;
AvroColumns& AvroColumns::operator=(AvroColumns&&) noexcept = default;

Result<AvroColumns> AvroColumns::Make(const AvroType& record, const Schema& projection, const ColumnContext& context) {
  if (record.kind != AvroKind::kRecord) return MakeError(ErrorKind::kCorrupt, "an Avro file of other than records");
  AvroColumns made;
  TRY(made.schema_, ToArrowSchema(projection));
  TRY(std::vector<FileColumn> columns, ColumnWalk().Record(record));
  TRY_VOID(ResolveIds(context, columns));
  made.plan_ = std::make_unique<Plan>();
  TRY_VOID(PlanRecord(
      record, columns, projection.fields, [&context](const Field& field) { return MissingValue(field, context); },
      *made.plan_));
  TRY_VOID(storage::FromArrow(
      arrow::MakeBuilder(arrow::default_memory_pool(), arrow::struct_(made.schema_->fields()), &made.plan_->builder),
      "making columns"));
  return made;
}

Result<std::shared_ptr<arrow::RecordBatch>> AvroColumns::Decode(AvroDecoder& decoder, int64_t& left) {
  Appender appender(decoder);
  auto& builder = static_cast<arrow::StructBuilder&>(*plan_->builder);
  builder.Reset();
  const size_t begin = decoder.rest().size();
  for (; left > 0 && decoder.ok() && begin - decoder.rest().size() < static_cast<size_t>(kBatchBytes); --left) {
    TRY_VOID(storage::FromArrow(builder.Append(), "decoding Avro"));
    const arrow::Status appended = appender.Record(*plan_->stored, *plan_, builder);
    TRY_VOID(decoder.status());
    TRY_VOID(storage::FromArrow(appended, "decoding Avro"));
  }
  TRY_VOID(decoder.status());
  if (left == 0 && !decoder.rest().empty()) {
    return MakeError(ErrorKind::kCorrupt, "a block with bytes after its last record");
  }
  TRY(const auto rows, storage::FromArrow(builder.Finish(), "decoding Avro"));
  const auto& columns = static_cast<const arrow::StructArray&>(*rows);
  return arrow::RecordBatch::Make(schema_, rows->length(), columns.fields());
}

}  // namespace firn::iceberg
