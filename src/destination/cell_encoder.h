// Values of an application's rows → Arrow columns.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "encode/row_encoder.h"
#include "firn/table.h"
#include "iceberg/schema.h"

namespace firn::destination {

/// `fields` says which columns a row has, in order; `never_null` names those that have a value in each row.
/// kSchemaMismatch names the row, counted from 0, and the column.
Result<encode::EncodedRows> EncodeCells(std::span<const iceberg::Field> fields, std::span<const Row* const> rows,
                                        std::span<const std::string> never_null = {});

}  // namespace firn::destination
