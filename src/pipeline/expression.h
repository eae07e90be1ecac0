// The expressions of computed columns (docs/partitions.md): `upper(substr(country, 1, 2))`.
//
//   expression = column | 'text' | number | function(expression, …) | cast(expression as type)
//   column     = letters, digits and _ | "any name, with "" for a quote"
//
// Text is parsed, bound to a table's columns with every type checked, and then evaluated on whole batches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace firn::pipeline {

/// What the parser makes of the text: words without meaning yet. `at` is the position of each in the text, from 1.
struct ParsedExpression {
  enum class Kind : uint8_t { kColumn, kText, kNumber, kCall };
  Kind kind = Kind::kColumn;
  size_t at = 1;
  std::string name;  ///< A column's or function's; the text of kText.
  int64_t number = 0;
  std::vector<ParsedExpression> arguments;
};

/// kInvalidConfig says what is wrong, and at which position.
Result<ParsedExpression> ParseExpression(std::string_view text);

/// An expression over a table's columns. Immutable; may be evaluated by several threads.
struct BoundExpression {
  iceberg::Type type;
  /// The value of a literal, by which functions are told how much to cut and what to look for.
  std::variant<std::monostate, std::string, int64_t> literal;
  /// One value a row, of ToArrowSchema's type for `type`.
  std::function<Result<std::shared_ptr<arrow::Array>>(const arrow::RecordBatch&)> evaluate;
};

/// `schema`: of the batches that the expression is to be evaluated on. kInvalidConfig names a column or function that
/// isn't there, and arguments of another number or type than the function takes.
Result<BoundExpression> BindExpression(const ParsedExpression& expression, const iceberg::Schema& schema);

}  // namespace firn::pipeline
