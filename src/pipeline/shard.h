// Which pipeline takes a table where several share a database's tables, each with a slot of its own.
#pragma once

#include "model/source_table.h"

namespace firn::pipeline {

struct Shard {
  int number = 1;  ///< From 1.
  int count = 1;   ///< 1: one pipeline takes all tables.
};

/// By the table's name alone ("public.orders"), as Iceberg's bucket transform has it: of `count` shards exactly one
/// takes the table, on every machine and in every version.
bool Takes(const Shard& shard, const TableName& table);

}  // namespace firn::pipeline
