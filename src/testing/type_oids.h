// PostgreSQL's type oids (pg_type.dat) that the tests' tables have.
#pragma once

#include "model/source_table.h"

namespace firn::testing {

inline constexpr TypeOid kInt4 = 23, kInt8 = 20, kText = 25, kVarchar = 1043, kFloat4 = 700, kFloat8 = 701,
                         kNumeric = 1700;

}  // namespace firn::testing
