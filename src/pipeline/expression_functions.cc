#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

#include "base/try.h"
#include "iceberg/civil_date.h"
#include "iceberg/partition_path.h"
#include "iceberg/transform.h"
#include "pipeline/expression.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

using iceberg::Type;
using iceberg::TypeId;
using Column = std::shared_ptr<arrow::Array>;
using Columns = std::vector<Column>;
namespace compute = arrow::compute;

/// A call whose arguments are bound already.
struct Call {
  const ParsedExpression& parsed;
  std::vector<BoundExpression> arguments;

  template <typename... Args>
  Error Wrong(size_t argument, fmt::format_string<Args...> format, Args&&... args) const {
    return MakeError(ErrorKind::kInvalidConfig, "at {}: {}: {}", parsed.arguments.at(argument).at, parsed.name,
                     fmt::format(format, std::forward<Args>(args)...));
  }
};

template <typename Value>
Result<Value> Arrow(arrow::Result<Value> result) {
  return storage::FromArrow(std::move(result), "{}", "computing a column");
}

bool IsInteger(const Type& type) { return type.id == TypeId::kInt || type.id == TypeId::kLong; }

Status Expect(const Call& call, size_t argument, TypeId type) {
  const Type& found = call.arguments.at(argument).type;
  if (found.id == type) return {};
  return call.Wrong(argument, "takes a {} here, not a {}{}", ToString(Type::Primitive(type)), ToString(found),
                    type == TypeId::kString ? "; write cast(… as string)" : "");
}

Result<int64_t> Number(const Call& call, size_t argument, int64_t least) {
  const auto* number = std::get_if<int64_t>(&call.arguments.at(argument).literal);
  if (number != nullptr && *number >= least && *number <= std::numeric_limits<int32_t>::max()) return *number;
  return call.Wrong(argument, "takes a number here, {} or more", least);
}

Result<std::string> Text(const Call& call, size_t argument) {
  if (const auto* text = std::get_if<std::string>(&call.arguments.at(argument).literal)) return *text;
  return call.Wrong(argument, "takes a text in quotes here");
}

/// An expression that evaluates its arguments and gives function(columns).
template <typename Function>
BoundExpression Make(Call& call, Type type, Function function) {
  return {.type = std::move(type),
          .evaluate = [arguments = std::move(call.arguments),
                       function = std::move(function)](const arrow::RecordBatch& batch) -> Result<Column> {
            Columns columns;
            for (const BoundExpression& argument : arguments) {
              TRY(columns.emplace_back(), argument.evaluate(batch));
            }
            return function(columns);
          }};
}

Result<Column> Compute(const std::string& function, const std::vector<arrow::Datum>& columns,
                       const compute::FunctionOptions* options = nullptr) {
  // Arrow's functions but the simplest are in a library of their own, which has to be told to register them.
  static const arrow::Status registered = compute::Initialize();
  TRY_VOID(storage::FromArrow(registered, "{}", "registering Arrow's functions"));
  TRY(const arrow::Datum result, Arrow(compute::CallFunction(function, columns, options)));
  return result.make_array();
}

/// A column of value(row), or null where `column` is or value gives nothing.
template <typename Builder, typename Value>
Result<Column> ForEach(const Column& column, Value value) {
  Builder builder;
  for (int64_t row = 0; row < column->length(); ++row) {
    const auto result = column->IsNull(row) ? std::nullopt : value(row);
    TRY_VOID(storage::FromArrow(result ? builder.Append(*result) : builder.AppendNull(), "{}", "computing a column"));
  }
  return Arrow(builder.Finish());
}

std::string_view TextAt(const Column& column, int64_t row) {
  return static_cast<const arrow::StringArray&>(*column).GetView(row);
}

int64_t IntegerAt(const Column& column, int64_t row) {
  return column->type_id() == arrow::Type::INT64 ? static_cast<const arrow::Int64Array&>(*column).Value(row)
                                                 : static_cast<const arrow::Int32Array&>(*column).Value(row);
}

// --- Strings ---

Result<BoundExpression> BindCase(Call& call) {
  TRY_VOID(Expect(call, 0, TypeId::kString));
  const std::string function = "utf8_" + call.parsed.name;
  return Make(call, Type::Primitive(TypeId::kString),
              [function](const Columns& columns) { return Compute(function, {columns[0]}); });
}

Result<BoundExpression> BindLength(Call& call) {
  TRY_VOID(Expect(call, 0, TypeId::kString));
  return Make(call, Type::Primitive(TypeId::kInt),
              [](const Columns& columns) { return Compute("utf8_length", {columns[0]}); });
}

Result<BoundExpression> BindTrim(Call& call) {
  TRY_VOID(Expect(call, 0, TypeId::kString));
  return Make(call, Type::Primitive(TypeId::kString), [](const Columns& columns) {
    const compute::TrimOptions blanks(" ");
    return Compute("utf8_trim", {columns[0]}, &blanks);
  });
}

/// As PostgreSQL's: from 1, and what lies before the start counts.
Result<BoundExpression> BindSubstr(Call& call) {
  TRY_VOID(Expect(call, 0, TypeId::kString));
  TRY(const int64_t start, Number(call, 1, std::numeric_limits<int32_t>::min()));
  int64_t end = std::numeric_limits<int64_t>::max();
  if (call.arguments.size() == 3) {
    TRY(const int64_t length, Number(call, 2, 0));
    end = std::max<int64_t>(0, start - 1 + length);
  }
  const compute::SliceOptions slice(std::max<int64_t>(0, start - 1), end);
  return Make(call, Type::Primitive(TypeId::kString),
              [slice](const Columns& columns) { return Compute("utf8_slice_codeunits", {columns[0]}, &slice); });
}

Result<BoundExpression> BindReplace(Call& call) {
  TRY_VOID(Expect(call, 0, TypeId::kString));
  TRY(const std::string from, Text(call, 1));
  TRY(const std::string to, Text(call, 2));
  if (from.empty()) return call.Wrong(1, "there is nothing to look for");
  return Make(call, Type::Primitive(TypeId::kString), [from, to](const Columns& columns) {
    const compute::ReplaceSubstringOptions options(from, to);
    return Compute("replace_substring", {columns[0]}, &options);
  });
}

/// The n-th of the parts, from the end where n is negative; empty where there are fewer.
std::string_view Part(std::string_view text, std::string_view delimiter, int64_t number) {
  std::vector<std::string_view> parts;
  for (size_t at = 0;; at += delimiter.size()) {
    const size_t end = text.find(delimiter, at);
    parts.push_back(text.substr(at, end == text.npos ? text.npos : end - at));
    if (end == text.npos) break;
    at = end;
  }
  const auto count = static_cast<int64_t>(parts.size());
  const int64_t index = number > 0 ? number - 1 : count + number;
  return index >= 0 && index < count ? parts[static_cast<size_t>(index)] : std::string_view();
}

Result<BoundExpression> BindSplitPart(Call& call) {
  TRY_VOID(Expect(call, 0, TypeId::kString));
  TRY(const std::string delimiter, Text(call, 1));
  TRY(const int64_t number, Number(call, 2, std::numeric_limits<int32_t>::min()));
  if (delimiter.empty()) return call.Wrong(1, "the delimiter is empty");
  if (number == 0) return call.Wrong(2, "parts count from 1, or from -1 at the end");
  return Make(call, Type::Primitive(TypeId::kString), [delimiter, number](const Columns& columns) {
    return ForEach<arrow::StringBuilder>(
        columns[0], [&](int64_t row) { return std::optional(Part(TextAt(columns[0], row), delimiter, number)); });
  });
}

/// As PostgreSQL's: NULL is no text at all.
Result<BoundExpression> BindConcat(Call& call) {
  for (size_t i = 0; i < call.arguments.size(); ++i) TRY_VOID(Expect(call, i, TypeId::kString));
  return Make(call, Type::Primitive(TypeId::kString), [](const Columns& columns) {
    std::vector<arrow::Datum> parts(columns.begin(), columns.end());
    parts.emplace_back(std::make_shared<arrow::StringScalar>(""));  // What stands between them.
    const compute::JoinOptions options(compute::JoinOptions::SKIP);
    return Compute("binary_join_element_wise", parts, &options);
  });
}

// --- Any type ---

Result<BoundExpression> BindCoalesce(Call& call) {
  const Type type = call.arguments.front().type;
  for (size_t i = 1; i < call.arguments.size(); ++i) {
    if (call.arguments[i].type == type) continue;
    return call.Wrong(i, "its arguments are of one type: this is a {}, the first one a {}",
                      ToString(call.arguments[i].type), ToString(type));
  }
  return Make(call, type, [](const Columns& columns) {
    return Compute("coalesce", std::vector<arrow::Datum>(columns.begin(), columns.end()));
  });
}

Result<BoundExpression> BindBucket(Call& call) {
  TRY(const int64_t buckets, Number(call, 0, 1));
  const iceberg::Transform transform{.kind = iceberg::TransformKind::kBucket,
                                     .parameter = static_cast<int32_t>(buckets)};
  const Type source = call.arguments[1].type;
  if (!iceberg::IsLegal(transform, source)) return call.Wrong(1, "a {} has no buckets", ToString(source));
  return Make(call, Type::Primitive(TypeId::kInt), [transform, source](const Columns& columns) {
    return iceberg::TransformColumn(transform, source, columns[1]);
  });
}

/// The sign is the dividend's, as in PostgreSQL.
Result<BoundExpression> BindMod(Call& call) {
  if (!IsInteger(call.arguments[0].type)) return call.Wrong(0, "takes an int or a long");
  TRY(const int64_t divisor, Number(call, 1, 1));
  return Make(call, Type::Primitive(TypeId::kLong), [divisor](const Columns& columns) {
    return ForEach<arrow::Int64Builder>(
        columns[0], [&](int64_t row) { return std::optional(IntegerAt(columns[0], row) % divisor); });
  });
}

/// The year, month, day or hour as the calendar has it; of a timestamptz in UTC.
Result<BoundExpression> BindDatePart(Call& call) {
  const Type source = call.arguments[0].type;
  const iceberg::Transform day{.kind = iceberg::TransformKind::kDay}, hour{.kind = iceberg::TransformKind::kHour};
  const std::string& part = call.parsed.name;
  if (!iceberg::IsLegal(part == "hour" ? hour : day, source)) return call.Wrong(0, "a {} has none", ToString(source));
  return Make(call, Type::Primitive(TypeId::kInt), [=](const Columns& columns) -> Result<Column> {
    if (part == "hour") {
      TRY(const Column hours, iceberg::TransformColumn(hour, source, columns[0]));
      return ForEach<arrow::Int32Builder>(hours, [&](int64_t row) {
        const int64_t value = IntegerAt(hours, row);
        return std::optional(static_cast<int32_t>(value - 24 * iceberg::FloorDivide(value, 24)));
      });
    }
    TRY(const Column days, iceberg::TransformColumn(day, source, columns[0]));
    return ForEach<arrow::Int32Builder>(days, [&](int64_t row) {
      const auto date = iceberg::CivilFromDays(static_cast<const arrow::Date32Array&>(*days).Value(row));
      return std::optional(part == "year" ? static_cast<int32_t>(date.year) : part == "month" ? date.month : date.day);
    });
  });
}

/// A text that isn't a number of the type gives null: a row must not stop the pipeline.
template <typename Builder, typename Integer>
Result<Column> ParseNumbers(const Column& column) {
  return ForEach<Builder>(column, [&](int64_t row) -> std::optional<Integer> {
    std::string_view text = TextAt(column, row);
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.starts_with('+')) text.remove_prefix(1);
    Integer number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
    return number;
  });
}

template <typename Builder, typename Integer>
Result<Column> NarrowNumbers(const Column& column) {
  return ForEach<Builder>(column, [&](int64_t row) -> std::optional<Integer> {
    const int64_t number = IntegerAt(column, row);
    if (number != static_cast<Integer>(number)) return std::nullopt;
    return static_cast<Integer>(number);
  });
}

Result<BoundExpression> BindCastToInteger(Call& call, TypeId wanted) {
  const Type source = call.arguments[0].type;
  if (source.id != TypeId::kString && !IsInteger(source)) {
    return call.Wrong(0, "a {} can't become a number", ToString(source));
  }
  return Make(call, Type::Primitive(wanted), [source, wanted](const Columns& columns) -> Result<Column> {
    if (source.id == TypeId::kString) {
      return wanted == TypeId::kInt ? ParseNumbers<arrow::Int32Builder, int32_t>(columns[0])
                                    : ParseNumbers<arrow::Int64Builder, int64_t>(columns[0]);
    }
    return wanted == TypeId::kInt ? NarrowNumbers<arrow::Int32Builder, int32_t>(columns[0])
                                  : NarrowNumbers<arrow::Int64Builder, int64_t>(columns[0]);
  });
}

Result<BoundExpression> BindCast(Call& call) {
  const std::string wanted = call.parsed.arguments[1].name;
  call.arguments.pop_back();
  if (wanted == "int") return BindCastToInteger(call, TypeId::kInt);
  if (wanted == "long") return BindCastToInteger(call, TypeId::kLong);
  if (wanted != "string") return call.Wrong(1, "casts are to int, long or string, not to '{}'", wanted);
  const Type source = call.arguments[0].type;
  const iceberg::Transform identity;
  if (!iceberg::IsLegal(identity, source)) return call.Wrong(0, "a {} can't become a string", ToString(source));
  return Make(call, Type::Primitive(TypeId::kString), [source, identity](const Columns& columns) -> Result<Column> {
    if (source.id == TypeId::kString) return columns[0];
    return ForEach<arrow::StringBuilder>(columns[0], [&](int64_t row) {
      return std::optional(iceberg::HumanValue(identity, source, iceberg::LiteralAt(source, *columns[0], row)));
    });
  });
}

struct Function {
  std::string_view name;
  size_t arguments_min, arguments_max;
  std::string_view usage;
  Result<BoundExpression> (*bind)(Call&);
};

constexpr size_t kMany = 100;
constexpr Function kFunctions[] = {
    {"lower", 1, 1, "lower(text)", BindCase},
    {"upper", 1, 1, "upper(text)", BindCase},
    {"trim", 1, 1, "trim(text)", BindTrim},
    {"length", 1, 1, "length(text)", BindLength},
    {"substr", 2, 3, "substr(text, start) or substr(text, start, length)", BindSubstr},
    {"replace", 3, 3, "replace(text, 'from', 'to')", BindReplace},
    {"split_part", 3, 3, "split_part(text, 'delimiter', number)", BindSplitPart},
    {"concat", 1, kMany, "concat(text, …)", BindConcat},
    {"coalesce", 1, kMany, "coalesce(value, …)", BindCoalesce},
    {"bucket", 2, 2, "bucket(count, value)", BindBucket},
    {"mod", 2, 2, "mod(value, divisor)", BindMod},
    {"year", 1, 1, "year(value)", BindDatePart},
    {"month", 1, 1, "month(value)", BindDatePart},
    {"day", 1, 1, "day(value)", BindDatePart},
    {"hour", 1, 1, "hour(value)", BindDatePart},
    {"cast", 2, 2, "cast(value as string), with int, long or string", BindCast},
};

Result<BoundExpression> BindColumn(const ParsedExpression& parsed, const iceberg::Schema& schema) {
  const iceberg::Field* field = schema.FindField(parsed.name);
  if (field == nullptr) {
    return MakeError(ErrorKind::kInvalidConfig, "at {}: the table has no column \"{}\"", parsed.at, parsed.name);
  }
  const int index = static_cast<int>(field - schema.fields.data());
  return BoundExpression{.type = field->type, .evaluate = [index](const arrow::RecordBatch& batch) -> Result<Column> {
                           return batch.column(index);
                         }};
}

BoundExpression BindLiteral(Type type, std::variant<std::monostate, std::string, int64_t> literal,
                            std::shared_ptr<arrow::Scalar> scalar) {
  return {.type = std::move(type),
          .literal = std::move(literal),
          .evaluate = [scalar = std::move(scalar)](const arrow::RecordBatch& batch) -> Result<Column> {
            return Arrow(arrow::MakeArrayFromScalar(*scalar, batch.num_rows()));
          }};
}

}  // namespace

Result<BoundExpression> BindExpression(const ParsedExpression& expression, const iceberg::Schema& schema) {
  switch (expression.kind) {
    case ParsedExpression::Kind::kColumn:
      return BindColumn(expression, schema);
    case ParsedExpression::Kind::kText:
      return BindLiteral(Type::Primitive(TypeId::kString), expression.name,
                         std::make_shared<arrow::StringScalar>(expression.name));
    case ParsedExpression::Kind::kNumber:
      return BindLiteral(Type::Primitive(TypeId::kLong), expression.number,
                         std::make_shared<arrow::Int64Scalar>(expression.number));
    case ParsedExpression::Kind::kCall:
      break;
  }
  const auto* function = std::ranges::find(kFunctions, expression.name, &Function::name);
  if (function == std::end(kFunctions)) {
    std::string names;
    for (const Function& known : kFunctions) names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
    return MakeError(ErrorKind::kInvalidConfig, "at {}: there is no function '{}'; there are {}", expression.at,
                     expression.name, names);
  }
  if (expression.arguments.size() < function->arguments_min || expression.arguments.size() > function->arguments_max) {
    return MakeError(ErrorKind::kInvalidConfig, "at {}: write {}", expression.at, function->usage);
  }
  Call call{.parsed = expression};
  for (const ParsedExpression& argument : expression.arguments) {
    TRY(call.arguments.emplace_back(), BindExpression(argument, schema));
  }
  return function->bind(call);
}

}  // namespace firn::pipeline
