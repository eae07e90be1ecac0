// rocksdb::Status as firn's Status: the one place where RocksDB's errors become ours.
#pragma once

#include <rocksdb/status.h>

#include "firn/result.h"

namespace firn::index {

/// OK stays OK. kCorrupt also for a file that the database should have and has not.
Status FromRocksDb(const rocksdb::Status& status);

}  // namespace firn::index
