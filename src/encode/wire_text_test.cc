#include "encode/wire_text.h"

#include <gtest/gtest.h>

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
  Codec codec;
  std::string text;
  std::string binary_hex;
};

// Taken from PostgreSQL 15 under firn's session settings: SELECT format('%s', v), encode(float8send(v), 'hex').
TEST(BinaryAsText, PrintsWhatPostgreSQLPrints) {
  for (const Golden& golden : std::vector<Golden>{
           {Codec::kBool, "t", "01"},
           {Codec::kBool, "f", "00"},
           {Codec::kInt2, "-32768", "8000"},
           {Codec::kInt4, "2147483647", "7fffffff"},
           {Codec::kInt8, "-9223372036854775808", "8000000000000000"},
           {Codec::kOid, "4294967295", "ffffffff"},
           {Codec::kFloat8, "0", "0000000000000000"},
           {Codec::kFloat8, "-0", "8000000000000000"},
           {Codec::kFloat8, "0.1", "3fb999999999999a"},
           {Codec::kFloat8, "1e+15", "430c6bf526340000"},
           {Codec::kFloat8, "123456789012345", "42dc12218377de40"},
           {Codec::kFloat8, "1.234567890123456e+15", "43118b54f22aeb00"},
           {Codec::kFloat8, "999999999999999.9", "430c6bf52633ffff"},
           {Codec::kFloat8, "0.0001", "3f1a36e2eb1c432d"},
           {Codec::kFloat8, "1e-05", "3ee4f8b588e368f1"},
           {Codec::kFloat8, "-2.2250738585072014e-308", "8010000000000000"},
           {Codec::kFloat8, "1e+300", "7e37e43c8800759c"},
           {Codec::kFloat8, "NaN", "7ff8000000000000"},
           {Codec::kFloat8, "Infinity", "7ff0000000000000"},
           {Codec::kFloat8, "-Infinity", "fff0000000000000"},
           {Codec::kFloat8, "100000", "40f86a0000000000"},
           {Codec::kFloat8, "12345.678", "40c81cd6c8b43958"},
           {Codec::kFloat4, "1e+06", "49742400"},
           {Codec::kFloat4, "999999", "497423f0"},
           {Codec::kFloat4, "1.6777216e+07", "4b800000"},
           {Codec::kFloat4, "0.1", "3dcccccd"},
           {Codec::kFloat4, "-3.4028235e+38", "ff7fffff"},
           {Codec::kNumericDecimal, "-1.50", "000200004000000200011388"},
           {Codec::kNumericString, "NaN", "00000000c0000000"},
           {Codec::kText, "grüße", "6772c3bcc39f65"},
           {Codec::kChar, "a", "61"},
           {Codec::kJsonb, "{}", "017b7d"},
           {Codec::kBytea, "\\x00ff5c61", "00ff5c61"},
           {Codec::kUuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"},
           {Codec::kDate, "2024-02-29", "00002279"},
           {Codec::kTime, "24:00:00", "000000141dd76000"},
           {Codec::kTimestamp, "1999-12-31 23:59:59.5", "fffffffffff85ee0"},
           {Codec::kTimestampTz, "2024-02-29 23:59:59.5+00", "0002b58cd35c1ee0"},
       }) {
    EXPECT_EQ(BinaryAsText(golden.codec, FromHex(golden.binary_hex)), golden.text);
  }
}

TEST(BinaryAsText, IsEmptyForBytesThatAreNoValue) {
  for (const Codec codec : {Codec::kBool, Codec::kInt4, Codec::kFloat8, Codec::kNumericString, Codec::kUuid,
                            Codec::kDate, Codec::kTime, Codec::kTimestampTz, Codec::kJsonb, Codec::kTextForm}) {
    EXPECT_EQ(BinaryAsText(codec, "abc"), "") << static_cast<int>(codec);
  }
}

std::string ArrayAsText(Codec element, TypeOid element_oid, const std::string& hex) {
  ArrayTextCodec codec;
  codec.element = FindBinaryToText(element);
  codec.element_oid = element_oid;
  const std::string bytes = FromHex(hex);
  const WireValue value{bytes.data(), static_cast<int32_t>(bytes.size()), WireFormat::kBinary};
  std::string text(codec.Bound(value), '?');
  char* end = text.data();
  if (codec.Binary(bytes, end) != Fault::kNone) return "malformed";
  const auto size = static_cast<size_t>(end - text.data());
  EXPECT_LE(size, text.size());
  return text.substr(0, size);
}

TEST(ArrayText, PrintsWhatPostgreSQLPrints) {
  EXPECT_EQ(ArrayAsText(Codec::kInt4, 23, "000000000000000000000017"), "{}");
  EXPECT_EQ(
      ArrayAsText(Codec::kInt4, 23, "00000001000000010000001700000003000000010000000400000001ffffffff00000004fffffffd"),
      "{1,NULL,-3}");
  EXPECT_EQ(
      ArrayAsText(Codec::kInt4, 23,
                  "000000020000000000000017000000020000000100000002000000010000000400000001000000040000000200000004"
                  "000000030000000400000004"),
      "{{1,2},{3,4}}");
  EXPECT_EQ(ArrayAsText(Codec::kInt4, 23, "000000010000000000000017000000020000000000000004000000070000000400000008"),
            "[0:1]={7,8}");
  EXPECT_EQ(
      ArrayAsText(Codec::kInt4, 23,
                  "000000020000000000000017000000020000000200000002ffffffff000000040000000100000004000000020000000"
                  "4000000030000000400000004"),
      "[2:3][-1:0]={{1,2},{3,4}}");
  EXPECT_EQ(ArrayAsText(Codec::kInt4, 23,
                        "0000000300000000000000170000000200000001000000020000000100000001000000010000000400000001000000"
                        "04000000020000000400000003"
                        "0000000400000004"),
            "{{{1},{2}},{{3},{4}}}");
  EXPECT_EQ(ArrayAsText(Codec::kText, 25,
                        "0000000100000001000000190000000900000001000000016100000005622022635c00000000ffffffff000000046e"
                        "756c6c00000003782c79000000037b7a7d0000000361206200000002c3bc"),
            R"({a,"b \"c\\","",NULL,"null","x,y","{z}","a b",ü})");
  const std::string floats = "0000000100000000000002bd000000020000000100000008430c6bf526340000000000087ff8000000000000";
  EXPECT_EQ(ArrayAsText(Codec::kFloat8, 701, floats), "{1e+15,NaN}");
  EXPECT_EQ(BinaryArrayAsText(Codec::kFloat8, 701, FromHex(floats)), "{1e+15,NaN}");
  EXPECT_EQ(BinaryArrayAsText(Codec::kFloat8, 20, FromHex(floats)), "");
}

TEST(ArrayText, RefusesBytesThatAreNoArray) {
  EXPECT_EQ(ArrayAsText(Codec::kInt4, 23, ""), "malformed");
  EXPECT_EQ(ArrayAsText(Codec::kInt4, 20, "000000000000000000000017"), "malformed");
  // Fewer elements than promised, and more.
  EXPECT_EQ(ArrayAsText(Codec::kInt4, 23, "0000000100000000000000170000000300000001000000040000000100000004"),
            "malformed");
  EXPECT_EQ(ArrayAsText(Codec::kInt4, 23, "00000001000000000000001700000001000000010000000400000001ff"), "malformed");
  EXPECT_EQ(ArrayAsText(Codec::kText, 25, "000000010000000000000019000000010000000100000009ab"), "malformed");
}

}  // namespace
}  // namespace firn::encode
