#include "pipeline/shard.h"

#include "iceberg/murmur3.h"

namespace firn::pipeline {

bool Takes(const Shard& shard, const TableName& table) {
  const uint32_t hash = iceberg::Murmur3(ToString(table)) & 0x7FFFFFFFu;
  return static_cast<int>(hash % static_cast<uint32_t>(shard.count)) + 1 == shard.number;
}

}  // namespace firn::pipeline
