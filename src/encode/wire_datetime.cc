#include "encode/wire_datetime.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "encode/big_endian.h"
#include "encode/text_pieces.h"

namespace firn::encode {
namespace {

constexpr int64_t kDaysFrom1970To2000 = 10957;
constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
constexpr int64_t kMicrosFrom1970To2000 = kDaysFrom1970To2000 * kMicrosPerDay;
constexpr int kMaxYearDigits = 7;  // 5874897, the last year of a date

struct CivilDate {
  int64_t year = 0;  // astronomical: 0 is 1 BC
  int month = 0;
  int day = 0;
};

bool IsLeapYear(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int DaysInMonth(int64_t year, int month) {
  constexpr std::array<int, 13> kDays = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[static_cast<size_t>(month)];
}

// Years are counted from March, so that the leap day is a year's last, and in eras of 400 years (146,097 days).
int64_t DaysSince1970(const CivilDate& date) {
  const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

CivilDate FromDaysSince1970(int64_t days) {
  const int64_t shifted = days + 719'468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const int64_t day_of_era = shifted - era * 146'097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  CivilDate date;
  date.day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  date.month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

// A cursor over the text; each method takes what it names off the front, or says no and leaves the rest undefined.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  char front() const { return text_.empty() ? '\0' : text_.front(); }

  bool Take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool Take(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  template <typename T>
  bool TakeNumber(size_t min_digits, size_t max_digits, T& number) {
    number = 0;
    size_t digits = 0;
    while (digits < max_digits && digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') {
      number = number * 10 + (text_[digits++] - '0');
    }
    text_.remove_prefix(digits);
    return digits >= min_digits;
  }

 private:
  std::string_view text_;
};

bool TakeDate(Scanner& scanner, CivilDate& date) {
  return scanner.TakeNumber(4, kMaxYearDigits, date.year) && scanner.Take('-') &&
         scanner.TakeNumber(2, 2, date.month) && scanner.Take('-') && scanner.TakeNumber(2, 2, date.day);
}

/// The era suffix, then the end; afterwards the year is astronomical and the date checked.
bool TakeEraAndEnd(Scanner& scanner, CivilDate& date) {
  if (date.year == 0) return false;
  if (scanner.Take(std::string_view(" BC"))) date.year = 1 - date.year;
  return scanner.done() && date.month >= 1 && date.month <= 12 && date.day >= 1 &&
         date.day <= DaysInMonth(date.year, date.month);
}

/// hh:mm:ss[.ffffff], up to 24:00:00.
bool TakeTime(Scanner& scanner, int64_t& micros) {
  int hour = 0, minute = 0, second = 0;
  if (!(scanner.TakeNumber(2, 2, hour) && scanner.Take(':') && scanner.TakeNumber(2, 2, minute) && scanner.Take(':') &&
        scanner.TakeNumber(2, 2, second))) {
    return false;
  }
  int64_t fraction = 0;
  if (scanner.Take('.')) {
    int64_t unit = kMicrosPerSecond;
    do {
      int digit = 0;
      if (!scanner.TakeNumber(1, 1, digit)) return false;
      unit /= 10;
      fraction += digit * unit;
    } while (unit > 1 && scanner.front() >= '0' && scanner.front() <= '9');
  }
  micros = (hour * 3600 + minute * 60 + second) * kMicrosPerSecond + fraction;
  return minute < 60 && second < 60 && micros <= kMicrosPerDay;
}

/// +hh[:mm[:ss]]
bool TakeOffset(Scanner& scanner, int64_t& seconds) {
  const bool west = scanner.front() == '-';
  if (!scanner.Take('-') && !scanner.Take('+')) return false;
  int hour = 0, minute = 0, second = 0;
  if (!scanner.TakeNumber(2, 2, hour)) return false;
  if (scanner.Take(':') && !scanner.TakeNumber(2, 2, minute)) return false;
  if (scanner.Take(':') && !scanner.TakeNumber(2, 2, second)) return false;
  seconds = hour * 3600 + minute * 60 + second;
  if (west) seconds = -seconds;
  return true;
}

bool IsInfinity(std::string_view text) { return text == "infinity" || text == "-infinity"; }

Fault MicrosOf(const CivilDate& date, int64_t time_of_day, int64_t offset_seconds, int64_t& micros) {
  int64_t midnight = 0;
  if (__builtin_mul_overflow(DaysSince1970(date), kMicrosPerDay, &midnight) ||
      __builtin_add_overflow(midnight, time_of_day - offset_seconds * kMicrosPerSecond, &micros)) {
    return Fault::kOutOfRange;
  }
  return Fault::kNone;
}

/// At least `width` digits.
void PutNumber(int64_t number, int width, char*& out) {
  std::array<char, 20> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  for (auto count = end - digits.data(); count < width; ++count) *out++ = '0';
  Put({digits.data(), end}, out);
}

void PutTime(int64_t micros, char*& out) {
  const int64_t seconds = micros / kMicrosPerSecond;
  PutNumber(seconds / 3600, 2, out);
  *out++ = ':';
  PutNumber(seconds / 60 % 60, 2, out);
  *out++ = ':';
  PutNumber(seconds % 60, 2, out);
  const int64_t fraction = micros % kMicrosPerSecond;
  if (fraction == 0) return;
  *out++ = '.';
  PutNumber(fraction, 6, out);
  while (out[-1] == '0') --out;
}

/// The date without its era, which stands at the end of the text.
void PutDate(const CivilDate& date, char*& out) {
  PutNumber(date.year > 0 ? date.year : 1 - date.year, 4, out);
  *out++ = '-';
  PutNumber(date.month, 2, out);
  *out++ = '-';
  PutNumber(date.day, 2, out);
}
void PutEra(const CivilDate& date, char*& out) {
  if (date.year <= 0) Put(" BC", out);
}

/// `offset`: what stands between the time and the era.
Fault FormatTimestamp(std::string_view bytes, std::string_view offset, char*& out) {
  if (bytes.size() != sizeof(int64_t)) return Fault::kMalformed;
  const auto micros = LoadBigEndian<int64_t>(bytes.data());
  if (micros == std::numeric_limits<int64_t>::min()) {
    Put("-infinity", out);
  } else if (micros == std::numeric_limits<int64_t>::max()) {
    Put("infinity", out);
  } else {
    int64_t days = micros / kMicrosPerDay;
    int64_t time_of_day = micros % kMicrosPerDay;
    if (time_of_day < 0) {
      time_of_day += kMicrosPerDay;
      --days;
    }
    const CivilDate date = FromDaysSince1970(days + kDaysFrom1970To2000);
    PutDate(date, out);
    *out++ = ' ';
    PutTime(time_of_day, out);
    Put(offset, out);
    PutEra(date, out);
  }
  return Fault::kNone;
}

}  // namespace

Fault DecodeBinaryDate(std::string_view bytes, int32_t& days) {
  if (bytes.size() != sizeof(int32_t)) [[unlikely]]
    return Fault::kMalformed;
  const auto since_2000 = LoadBigEndian<int32_t>(bytes.data());
  if (since_2000 == std::numeric_limits<int32_t>::min() || since_2000 == std::numeric_limits<int32_t>::max())
      [[unlikely]] {
    return Fault::kInfinity;
  }
  // No date of PostgreSQL comes near: its last one is day 2,145,031,948.
  if (__builtin_add_overflow(since_2000, static_cast<int32_t>(kDaysFrom1970To2000), &days)) [[unlikely]] {
    return Fault::kMalformed;
  }
  return Fault::kNone;
}

Fault DecodeTextDate(std::string_view text, int32_t& days) {
  if (IsInfinity(text)) return Fault::kInfinity;
  Scanner scanner(text);
  CivilDate date;
  if (!TakeDate(scanner, date) || !TakeEraAndEnd(scanner, date)) return Fault::kMalformed;
  const int64_t wide = DaysSince1970(date);
  if (wide > std::numeric_limits<int32_t>::max() || wide < std::numeric_limits<int32_t>::min())
    return Fault::kMalformed;
  days = static_cast<int32_t>(wide);
  return Fault::kNone;
}

Fault DecodeBinaryTime(std::string_view bytes, int64_t& micros) {
  if (bytes.size() != sizeof(int64_t)) [[unlikely]]
    return Fault::kMalformed;
  micros = LoadBigEndian<int64_t>(bytes.data());
  if (micros < 0 || micros >= kMicrosPerDay) [[unlikely]] {
    return micros == kMicrosPerDay ? Fault::kEndOfDay : Fault::kMalformed;
  }
  return Fault::kNone;
}

Fault DecodeTextTime(std::string_view text, int64_t& micros) {
  Scanner scanner(text);
  if (!TakeTime(scanner, micros) || !scanner.done()) return Fault::kMalformed;
  return micros == kMicrosPerDay ? Fault::kEndOfDay : Fault::kNone;
}

Fault DecodeBinaryTimestamp(std::string_view bytes, int64_t& micros) {
  if (bytes.size() != sizeof(int64_t)) [[unlikely]]
    return Fault::kMalformed;
  const auto since_2000 = LoadBigEndian<int64_t>(bytes.data());
  if (since_2000 == std::numeric_limits<int64_t>::min()) [[unlikely]]
    return Fault::kInfinity;
  if (__builtin_add_overflow(since_2000, kMicrosFrom1970To2000, &micros)) [[unlikely]] {
    return since_2000 == std::numeric_limits<int64_t>::max() ? Fault::kInfinity : Fault::kOutOfRange;
  }
  return Fault::kNone;
}

Fault DecodeTextTimestamp(std::string_view text, int64_t& micros) {
  if (IsInfinity(text)) return Fault::kInfinity;
  Scanner scanner(text);
  CivilDate date;
  int64_t time_of_day = 0;
  if (!TakeDate(scanner, date) || !scanner.Take(' ') || !TakeTime(scanner, time_of_day) ||
      !TakeEraAndEnd(scanner, date)) {
    return Fault::kMalformed;
  }
  return MicrosOf(date, time_of_day, 0, micros);
}

Fault DecodeTextTimestampTz(std::string_view text, int64_t& micros) {
  if (IsInfinity(text)) return Fault::kInfinity;
  Scanner scanner(text);
  CivilDate date;
  int64_t time_of_day = 0;
  int64_t offset = 0;
  if (!TakeDate(scanner, date) || !scanner.Take(' ') || !TakeTime(scanner, time_of_day) ||
      !TakeOffset(scanner, offset) || !TakeEraAndEnd(scanner, date)) {
    return Fault::kMalformed;
  }
  return MicrosOf(date, time_of_day, offset, micros);
}

Fault FormatBinaryDate(std::string_view bytes, char*& out) {
  if (bytes.size() != sizeof(int32_t)) return Fault::kMalformed;
  const auto days = LoadBigEndian<int32_t>(bytes.data());
  if (days == std::numeric_limits<int32_t>::min()) {
    Put("-infinity", out);
  } else if (days == std::numeric_limits<int32_t>::max()) {
    Put("infinity", out);
  } else {
    const CivilDate date = FromDaysSince1970(days + kDaysFrom1970To2000);
    PutDate(date, out);
    PutEra(date, out);
  }
  return Fault::kNone;
}

Fault FormatBinaryTime(std::string_view bytes, char*& out) {
  int64_t micros = 0;
  const Fault fault = DecodeBinaryTime(bytes, micros);
  if (fault != Fault::kNone && fault != Fault::kEndOfDay) return fault;
  PutTime(micros, out);
  return Fault::kNone;
}

Fault FormatBinaryTimestamp(std::string_view bytes, char*& out) { return FormatTimestamp(bytes, "", out); }

Fault FormatBinaryTimestampTz(std::string_view bytes, char*& out) { return FormatTimestamp(bytes, "+00", out); }

}  // namespace firn::encode
