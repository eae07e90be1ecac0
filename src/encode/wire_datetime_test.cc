#include "encode/wire_datetime.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace firn::encode {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

struct Golden {
  std::string text;
  std::string hex;
  int64_t value;
};

std::string Formatted(Fault (*format)(std::string_view, char*&), const std::string& hex) {
  const std::string bytes = FromHex(hex);
  std::string text(kMaxDatetimeText, '?');
  char* end = text.data();
  if (format(bytes, end) != Fault::kNone) return "malformed";
  text.resize(static_cast<size_t>(end - text.data()));
  return text;
}

// date_out and encode(date_send(…), 'hex') of PostgreSQL 15, and so on.
TEST(WireDatetime, DecodesDatesOfAllYears) {
  for (const Golden& golden : std::vector<Golden>{
           {"2000-01-01", "00000000", 10957},
           {"1970-01-01", "ffffd533", 0},
           {"2024-02-29", "00002279", 19782},
           {"0001-01-01", "fff4dbf9", -719162},
           {"0044-03-15 BC", "fff49d7b", -735160},
           {"4714-11-24 BC", "ffda97a7", -2440588},
           {"5874897-12-31", "7fda970c", 2145042905},
           {"1900-02-28", "ffff718e", -25509},
           {"2100-03-01", "00008ee8", 47541},
       }) {
    int32_t days = 0;
    EXPECT_EQ(DecodeBinaryDate(FromHex(golden.hex), days), Fault::kNone) << golden.text;
    EXPECT_EQ(days, golden.value) << golden.text;
    days = 0;
    EXPECT_EQ(DecodeTextDate(golden.text, days), Fault::kNone) << golden.text;
    EXPECT_EQ(days, golden.value) << golden.text;
    EXPECT_EQ(Formatted(FormatBinaryDate, golden.hex), golden.text);
  }
}

TEST(WireDatetime, DecodesTimestampsOfAllYears) {
  for (const Golden& golden : std::vector<Golden>{
           {"2024-02-29 23:59:59.5", "0002b58cd35c1ee0", 1709251199500000},
           {"0044-03-15 12:00:00 BC", "ff1af9e8fb46d000", -63517780800000000},
           {"1969-12-31 23:59:59.999999", "fffca2fec4c81fff", -1},
           {"4714-11-24 00:00:00 BC", "fd0f7cc1411fa000", -210866803200000000},
           {"294247-01-10 04:00:54.775807", "7ffca2fec4c81fff", std::numeric_limits<int64_t>::max()},
       }) {
    int64_t micros = 0;
    EXPECT_EQ(DecodeBinaryTimestamp(FromHex(golden.hex), micros), Fault::kNone) << golden.text;
    EXPECT_EQ(micros, golden.value) << golden.text;
    micros = 0;
    EXPECT_EQ(DecodeTextTimestamp(golden.text, micros), Fault::kNone) << golden.text;
    EXPECT_EQ(micros, golden.value) << golden.text;
  }
}

TEST(WireDatetime, TakesTheOffsetOffATimestampWithTimeZone) {
  for (const Golden& golden : std::vector<Golden>{
           {"2024-03-01 05:29:59.5+05:30", "", 1709251199500000},
           {"2024-02-29 15:59:59.5-08", "", 1709251199500000},
           {"0044-03-15 17:53:28+05:53:28 BC", "", -63517780800000000},
           {"1800-01-01 05:53:28+05:53:28", "", -5364662400000000},
       }) {
    int64_t micros = 0;
    EXPECT_EQ(DecodeTextTimestampTz(golden.text, micros), Fault::kNone) << golden.text;
    EXPECT_EQ(micros, golden.value) << golden.text;
  }
}

TEST(WireDatetime, DecodesTimes) {
  for (const Golden& golden : std::vector<Golden>{
           {"00:00:00", "0000000000000000", 0},
           {"23:59:59.999999", "000000141dd75fff", 86399999999},
           {"12:34:56.5", "0000000a8be1bd20", 45296500000},
       }) {
    int64_t micros = -1;
    EXPECT_EQ(DecodeBinaryTime(FromHex(golden.hex), micros), Fault::kNone) << golden.text;
    EXPECT_EQ(micros, golden.value) << golden.text;
    micros = -1;
    EXPECT_EQ(DecodeTextTime(golden.text, micros), Fault::kNone) << golden.text;
    EXPECT_EQ(micros, golden.value) << golden.text;
  }
}

TEST(WireDatetime, KnowsWhatIcebergCannotHold) {
  int32_t days = 0;
  int64_t micros = 0;
  for (const char* hex : {"7fffffff", "80000000"}) EXPECT_EQ(DecodeBinaryDate(FromHex(hex), days), Fault::kInfinity);
  for (const char* hex : {"7fffffffffffffff", "8000000000000000"}) {
    EXPECT_EQ(DecodeBinaryTimestamp(FromHex(hex), micros), Fault::kInfinity);
  }
  for (const char* text : {"infinity", "-infinity"}) {
    EXPECT_EQ(DecodeTextDate(text, days), Fault::kInfinity);
    EXPECT_EQ(DecodeTextTimestamp(text, micros), Fault::kInfinity);
    EXPECT_EQ(DecodeTextTimestampTz(text, micros), Fault::kInfinity);
  }
  // One microsecond past the last, and PostgreSQL's own last.
  for (const char* hex : {"7ffca2fec4c82000", "7fffff5bb3b29fff"}) {
    EXPECT_EQ(DecodeBinaryTimestamp(FromHex(hex), micros), Fault::kOutOfRange);
  }
  EXPECT_EQ(DecodeTextTimestamp("294247-01-10 04:00:54.775808", micros), Fault::kOutOfRange);
  EXPECT_EQ(DecodeTextTimestamp("294276-12-31 23:59:59.999999", micros), Fault::kOutOfRange);
  EXPECT_EQ(DecodeTextTimestampTz("294247-01-10 04:00:54.775808+00", micros), Fault::kOutOfRange);
  EXPECT_EQ(DecodeBinaryTime(FromHex("000000141dd76000"), micros), Fault::kEndOfDay);
  EXPECT_EQ(DecodeTextTime("24:00:00", micros), Fault::kEndOfDay);
}

TEST(WireDatetime, CallsOtherBytesMalformed) {
  int32_t days = 0;
  int64_t micros = 0;
  for (const char* text :
       {"", "2024", "2024-02", "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "0000-01-01",
        "24-01-01", "2024-1-1", "2024-01-01 ", "2024-01-01 AD", "12345678-01-01", "Infinity", "-2024-01-01"}) {
    EXPECT_EQ(DecodeTextDate(text, days), Fault::kMalformed) << text;
  }
  for (const char* text :
       {"", "12:34", "12:34:60", "12:60:00", "24:00:01", "25:00:00", "12:34:56.", "12:34:56.1234567", "1:2:3"}) {
    EXPECT_EQ(DecodeTextTime(text, micros), Fault::kMalformed) << text;
  }
  for (const char* text :
       {"2024-02-29", "2024-02-29T00:00:00", "2024-02-29 00:00:00+00", "2024-02-29 00:00:00 BC BC"}) {
    EXPECT_EQ(DecodeTextTimestamp(text, micros), Fault::kMalformed) << text;
  }
  for (const char* text :
       {"2024-02-29 00:00:00", "2024-02-29 00:00:00+", "2024-02-29 00:00:00+0", "2024-02-29 00:00:00+00:"}) {
    EXPECT_EQ(DecodeTextTimestampTz(text, micros), Fault::kMalformed) << text;
  }
  EXPECT_EQ(DecodeBinaryDate("abc", days), Fault::kMalformed);
  EXPECT_EQ(DecodeBinaryDate(FromHex("7ffffffe"), days), Fault::kMalformed);
  EXPECT_EQ(DecodeBinaryTimestamp("abcd", micros), Fault::kMalformed);
  EXPECT_EQ(DecodeBinaryTime(FromHex("ffffffffffffffff"), micros), Fault::kMalformed);
}

// Taken from a server: SELECT encode(timestamp_send(v), 'hex').
TEST(WireDatetime, FormatsBinaryValuesAsPostgreSQLPrintsThem) {
  EXPECT_EQ(Formatted(FormatBinaryTimestamp, "7fffff5bb3b29fff"), "294276-12-31 23:59:59.999999");
  EXPECT_EQ(Formatted(FormatBinaryTimestamp, "ff1af9e8fb46d000"), "0044-03-15 12:00:00 BC");
  EXPECT_EQ(Formatted(FormatBinaryTimestampTz, "ff1af9e8fb46d000"), "0044-03-15 12:00:00+00 BC");
  EXPECT_EQ(Formatted(FormatBinaryTimestampTz, "8000000000000000"), "-infinity");
  EXPECT_EQ(Formatted(FormatBinaryTimestamp, "7fffffffffffffff"), "infinity");
  EXPECT_EQ(Formatted(FormatBinaryTimestamp, "fffffffffff85ee0"), "1999-12-31 23:59:59.5");
  EXPECT_EQ(Formatted(FormatBinaryTimestamp, "0000000000000001"), "2000-01-01 00:00:00.000001");
  EXPECT_EQ(Formatted(FormatBinaryTimestamp, "3f"), "malformed");
  EXPECT_EQ(Formatted(FormatBinaryDate, "00000000"), "2000-01-01");
  EXPECT_EQ(Formatted(FormatBinaryDate, "7fffffff"), "infinity");
  EXPECT_EQ(Formatted(FormatBinaryDate, "80000000"), "-infinity");
  EXPECT_EQ(Formatted(FormatBinaryDate, "ffda97a7"), "4714-11-24 BC");
  EXPECT_EQ(Formatted(FormatBinaryDate, "7fda970c"), "5874897-12-31");
  EXPECT_EQ(Formatted(FormatBinaryTime, "000000141dd76000"), "24:00:00");
  EXPECT_EQ(Formatted(FormatBinaryTime, "0000000000000000"), "00:00:00");
  EXPECT_EQ(Formatted(FormatBinaryTime, "00000000000186a0"), "00:00:00.1");
}

}  // namespace
}  // namespace firn::encode
