#include "encode/variant_encoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace firn::encode {
namespace {

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

std::string Faulty(Fault fault) { return fmt::format("fault {}", static_cast<int>(fault)); }

struct Encoded {
  std::string metadata;
  std::string value;
  int64_t replaced = 0;
};

Encoded Encode(std::string_view json, InexactNumbers inexact = InexactNumbers::kRefuse) {
  VariantEncoder encoder;
  Encoded encoded;
  const Fault fault = encoder.Encode(json, inexact, encoded.replaced);
  encoded.metadata = fault == Fault::kNone ? Hex(encoder.metadata()) : Faulty(fault);
  encoded.value = fault == Fault::kNone ? Hex(encoder.value()) : Faulty(fault);
  return encoded;
}

std::string Value(std::string_view json) { return Encode(json).value; }

TEST(VariantEncoder, WritesWhatIcebergsJavaLibraryWrites) {
  // The bytes of a value in a file that Iceberg 1.12 wrote.
  const Encoded encoded = Encode(R"({"a": 0, "b": [0, "x"]})");
  EXPECT_EQ(encoded.metadata, "01020001026162");
  EXPECT_EQ(encoded.value,
            "020200010002"
            "0b"
            "0c00"
            "0302000204"
            "0c00"
            "0578");
}

TEST(VariantEncoder, WritesConstants) {
  EXPECT_EQ(Value("null"), "00");
  EXPECT_EQ(Value("true"), "04");
  EXPECT_EQ(Value("false"), "08");
  EXPECT_EQ(Encode("null").metadata, "010000");
}

TEST(VariantEncoder, WritesIntegersInTheFewestBytes) {
  EXPECT_EQ(Value("0"), "0c00");
  EXPECT_EQ(Value("-0"), "0c00");
  EXPECT_EQ(Value("-128"), "0c80");
  EXPECT_EQ(Value("128"), "108000");
  EXPECT_EQ(Value("-32768"), "100080");
  EXPECT_EQ(Value("32768"), "1400800000");
  EXPECT_EQ(Value("2147483648"), "180000008000000000");
  EXPECT_EQ(Value("9223372036854775807"), "18ffffffffffffff7f");
  EXPECT_EQ(Value("-9223372036854775808"), "180000000000000080");
  EXPECT_EQ(Value("1e3"), "10e803");
  EXPECT_EQ(Value("0e500"), "0c00");
}

TEST(VariantEncoder, WritesOtherNumbersAsDecimalsWithTheirScale) {
  EXPECT_EQ(Value("1.50"),
            "2002"
            "96000000");
  EXPECT_EQ(Value("-0.1"), "2001ffffffff");
  EXPECT_EQ(Value("0.0"), "200100000000");
  EXPECT_EQ(Value("1.5e1"), "0c0f");
  EXPECT_EQ(Value("1234567890.1"),
            "2401"
            "351cdcdf02000000");
  // One more than the largest 64-bit integer, and the largest decimal of all.
  EXPECT_EQ(Value("9223372036854775808"),
            "2800"
            "00000000000000800000000000000000");
  EXPECT_EQ(Value("99999999999999999999999999999999999999"), "2800ffffffff3f228a097ac4865aa84c3b4b");
  EXPECT_EQ(Value("1e-38"), "282601000000000000000000000000000000");
  EXPECT_EQ(Value("1.0000000000000000000000000000000000000000"), "282500000000a036f400d946dad510ee8507");
}

TEST(VariantEncoder, WritesDoublesOnlyForNumbersThatTheyAre) {
  EXPECT_EQ(Value("1e300"), "1c9c7500883ce4377e");
  EXPECT_EQ(Value("1.7976931348623157e308"), "1cffffffffffffef7f");
  EXPECT_EQ(Value("5e-324"), "1c0100000000000000");
  EXPECT_EQ(Value("-2.5e-50"), Value("-25e-51"));
  for (const char* inexact : {"1e400", "-1e400", "1e-400", "123456789012345678901234567890123456789.5",
                              "0.123456789012345678901234567890123456789"}) {
    EXPECT_EQ(Value(inexact), Faulty(Fault::kInexactNumber)) << inexact;
  }
}

TEST(VariantEncoder, WritesTheNearestDoubleWhereAsked) {
  const auto nearest = [](std::string_view json) { return Encode(json, InexactNumbers::kNearestDouble); };
  EXPECT_EQ(nearest("1e400").value, "1cffffffffffffef7f");
  EXPECT_EQ(nearest("-1e400").value, "1cffffffffffffefff");
  EXPECT_EQ(nearest("1e-400").value, "1c0000000000000000");
  EXPECT_EQ(nearest("[1, 1e400, 0.123456789012345678901234567890123456789]").replaced, 2);
  EXPECT_EQ(nearest("[1, 1.5, 1e300]").replaced, 0);
}

TEST(VariantEncoder, WritesStringsWithoutTheirEscapes) {
  EXPECT_EQ(Value(R"("")"), "01");
  EXPECT_EQ(Value(R"("a\"\u00fc\ud83d\ude00\n")"),
            "2561"
            "22c3bcf09f98800a");
  EXPECT_EQ(Value('"' + std::string(63, 'x') + '"').substr(0, 4), "fd78");
  EXPECT_EQ(Value('"' + std::string(64, 'x') + '"').substr(0, 12), "404000000078");
  EXPECT_EQ(Value(R"("\ud83d")"), Faulty(Fault::kNotUnicode));
}

TEST(VariantEncoder, SortsMembersByNameAndNamesByFirstUse) {
  const Encoded encoded = Encode(R"({"b": true, "a": {"b": null}})");
  EXPECT_EQ(encoded.metadata, "01020001026261");  // b, a
  // a (id 1) lies behind b (id 0), and holds a member of the name b again.
  EXPECT_EQ(encoded.value,
            "0202"
            "0100"
            "010007"
            "04"
            "020100000100");
}

TEST(VariantEncoder, KeepsTheLastOfMembersWithOneName) {
  EXPECT_EQ(Value(R"({"a": "first", "b": 1, "a": 2})"), Value(R"({"a": 2, "b": 1})"));
  EXPECT_EQ(Value(R"({"a": {"x": 1, "x": 2}})"), Value(R"({"a": {"x": 2}})"));
}

TEST(VariantEncoder, WritesEmptyAndLargeContainers) {
  EXPECT_EQ(Value("{}"), "020000");
  EXPECT_EQ(Value("[]"), "030000");
  std::string many = "[0";
  for (int i = 1; i < 300; ++i) many += ",0";
  // Large (4 bytes of length), offsets of 2 bytes.
  EXPECT_EQ(Value(many + "]").substr(0, 18), "172c01000000000200");
  std::string names = "{\"n0\":0";
  for (int i = 1; i < 300; ++i) names += fmt::format(",\"n{}\":0", i);
  EXPECT_EQ(Value(names + "}").substr(0, 10), "562c010000");
}

TEST(VariantEncoder, RefusesWhatIsNoJsonAndWhatIsTooDeep) {
  for (const char* text : {"", "{", "[1,", "tru", "{\"a\"}", "[1] 2", "1.", "01x"}) {
    EXPECT_EQ(Value(text), Faulty(Fault::kMalformed)) << text;
  }
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NE(Value(nested(500)), Faulty(Fault::kTooDeep));
  EXPECT_EQ(Value(nested(501)), Faulty(Fault::kTooDeep));
  EXPECT_EQ(Value(nested(5000)), Faulty(Fault::kTooDeep));
}

TEST(VariantEncoder, CanBeUsedAgainAfterAFault) {
  VariantEncoder encoder;
  int64_t replaced = 0;
  EXPECT_EQ(encoder.Encode(R"({"x": 1e400})", InexactNumbers::kRefuse, replaced), Fault::kInexactNumber);
  EXPECT_EQ(encoder.Encode(R"({"y": 1})", InexactNumbers::kRefuse, replaced), Fault::kNone);
  EXPECT_EQ(Hex(encoder.metadata()), "0101000179");
}

}  // namespace
}  // namespace firn::encode
