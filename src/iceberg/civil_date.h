// The proleptic Gregorian calendar over days since 1970-01-01, for any year that PostgreSQL or Iceberg can hold
// (std::chrono's years end at 32767).
#pragma once

#include <cstdint>

namespace firn::iceberg {

struct CivilDate {
  int64_t year = 1970;  ///< Year 0 is 1 BC.
  int32_t month = 1;    ///< 1 to 12
  int32_t day = 1;      ///< 1 to 31
};

constexpr int64_t FloorDivide(int64_t value, int64_t by) {
  return value / by - (value % by != 0 && (value % by < 0) != (by < 0) ? 1 : 0);
}

constexpr CivilDate CivilFromDays(int64_t days) {
  // Counted from 0000-03-01: a year that starts in March has its leap day at its end.
  constexpr int64_t kDaysOf400Years = 146'097, kMarchOfYear0 = -719'468;
  const int64_t shifted = days - kMarchOfYear0;
  const int64_t era = FloorDivide(shifted, kDaysOf400Years);
  const int64_t day_of_era = shifted - era * kDaysOf400Years;
  const int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;  // March is 0.
  const auto day = static_cast<int32_t>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const auto month = static_cast<int32_t>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0), .month = month, .day = day};
}

}  // namespace firn::iceberg
