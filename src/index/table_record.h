// What the database keeps of each table: its generation and its state. A table without a record is absent.
//
//   generation(4) 'c' snapshot id(8)      clean
//   generation(4) 'm' commit id           changing
//   generation(4) 'w' commit id           changing, and whole
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "index/index_key.h"
#include "index/table_index.h"

namespace firn::index {

struct TableRecord {
  Generation generation = 0;
  IndexState state;  ///< Exactly one of its ids is set.
};

std::string EncodeTableRecord(const TableRecord& record);
Result<TableRecord> DecodeTableRecord(std::string_view bytes);  ///< kCorrupt

}  // namespace firn::index
