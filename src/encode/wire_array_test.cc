#include "encode/wire_array.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace firn::encode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

/// The elements, NULL as "(null)"; or one "fault N".
std::vector<std::string> Elements(Fault fault, const std::vector<WireValue>& values) {
  if (fault != Fault::kNone) return {"fault " + std::to_string(static_cast<int>(fault))};
  std::vector<std::string> elements;
  for (const WireValue& value : values) {
    elements.push_back(value.format == WireFormat::kNull ? "(null)" : std::string(value.bytes()));
  }
  return elements;
}

std::vector<std::string> SplitText(const std::string& text, LowerBounds bounds = LowerBounds::kOne,
                                   char delimiter = ',') {
  std::vector<char> scratch(text.size());
  char* at = scratch.data();
  std::vector<WireValue> values;
  const Fault fault = SplitTextArray(text, delimiter, bounds, at, values);
  EXPECT_LE(at - scratch.data(), static_cast<std::ptrdiff_t>(text.size()));
  return Elements(fault, values);
}

std::vector<std::string> SplitBinary(const std::string& bytes, uint32_t element_oid,
                                     LowerBounds bounds = LowerBounds::kOne) {
  std::vector<WireValue> values;
  const Fault fault = SplitBinaryArray(bytes, element_oid, bounds, values);
  return Elements(fault, values);
}

std::string Faulty(Fault fault) { return "fault " + std::to_string(static_cast<int>(fault)); }

TEST(SplitTextArray, TakesQuotesAndEscapesOff) {
  EXPECT_THAT(SplitText("{}"), IsEmpty());
  EXPECT_THAT(SplitText("{1,NULL,-3}"), ElementsAre("1", "(null)", "-3"));
  EXPECT_THAT(SplitText(R"({a,"b \"c\\",NULL,"NULL","","x,y","{z}"})"),
              ElementsAre("a", "b \"c\\", "(null)", "NULL", "", "x,y", "{z}"));
  EXPECT_THAT(SplitText("{\"\\\"\",\"\\\\\"}"), ElementsAre("\"", "\\"));
}

TEST(SplitTextArray, RefusesWhatAListCannotHold) {
  EXPECT_THAT(SplitText("{{1,2},{3,4}}"), ElementsAre(Faulty(Fault::kManyDimensions)));
  EXPECT_THAT(SplitText("[0:1]={7,8}"), ElementsAre(Faulty(Fault::kLowerBound)));
  EXPECT_THAT(SplitText("[0:0][0:1]={{7,8}}"), ElementsAre(Faulty(Fault::kManyDimensions)));
}

TEST(SplitTextArray, CallsOtherTextMalformed) {
  for (const char* text : {"", "{", "}", "1,2", "{1", "{1,}", "{,1}", "{1,,2}", "{\"a}", "{\"a\"b}", "{a\"b\"}",
                           "{\"a\\}", "{1,{2}}", "{1}2}", "{a\\b}"}) {
    EXPECT_THAT(SplitText(text), ElementsAre(Faulty(Fault::kMalformed))) << text;
  }
}

TEST(SplitBinaryArray, TakesElementsApart) {
  EXPECT_THAT(SplitBinary(FromHex("000000000000000000000017"), 23), IsEmpty());
  EXPECT_THAT(
      SplitBinary(FromHex("0000000100000001000000190000000600000001000000016100000005622022635cffffffff000000044e554c"
                          "4c0000000000000003782c79"),
                  25),
      ElementsAre("a", "b \"c\\", "(null)", "NULL", "", "x,y"));
}

TEST(SplitBinaryArray, RefusesWhatAListCannotHold) {
  EXPECT_THAT(
      SplitBinary(FromHex("000000020000000000000017000000020000000100000002000000010000000400000001000000040000000200"
                          "000004000000030000000400000004"),
                  23),
      ElementsAre(Faulty(Fault::kManyDimensions)));
  EXPECT_THAT(SplitBinary(FromHex("000000010000000000000017000000020000000000000004000000070000000400000008"), 23),
              ElementsAre(Faulty(Fault::kLowerBound)));
}

TEST(SplitBinaryArray, CallsEveryCutOrAlteredArrayMalformed) {
  const std::string whole = FromHex("00000001000000010000001700000003000000010000000400000001ffffffff00000004fffffffd");
  ASSERT_EQ(SplitBinary(whole, 23).size(), 3u);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(SplitBinary(whole.substr(0, size), 23), ElementsAre(Faulty(Fault::kMalformed))) << size;
  }
  EXPECT_THAT(SplitBinary(whole + "x", 23), ElementsAre(Faulty(Fault::kMalformed)));
  EXPECT_THAT(SplitBinary(whole, 25), ElementsAre(Faulty(Fault::kMalformed)));
  EXPECT_THAT(SplitBinary(FromHex("0000000100000000000000177fffffff00000001"), 23),
              ElementsAre(Faulty(Fault::kMalformed)));
  EXPECT_THAT(SplitBinary(FromHex("000000070000000000000017"), 23), ElementsAre(Faulty(Fault::kMalformed)));
}

TEST(SplitArray, LetsGoOfTheLowerBoundWhereAsked) {
  EXPECT_THAT(SplitText("[0:1]={7,8}", LowerBounds::kAny), ElementsAre("7", "8"));
  EXPECT_THAT(SplitText("[-1:0][0:1]={{7,8},{9,10}}", LowerBounds::kAny), ElementsAre(Faulty(Fault::kManyDimensions)));
  const std::string bytes = FromHex(
      "0000000100000000000000170000000100000000"
      "0000000400000007");
  EXPECT_THAT(SplitBinary(bytes, 23), ElementsAre(Faulty(Fault::kLowerBound)));
  EXPECT_EQ(SplitBinary(bytes, 23, LowerBounds::kAny).size(), 1u);
}

TEST(SplitTextArray, TakesTheElementTypesDelimiter) {
  EXPECT_THAT(SplitText("{(1,1),(0,0);NULL;(2,2),(1,1)}", LowerBounds::kOne, ';'),
              ElementsAre("(1,1),(0,0)", "(null)", "(2,2),(1,1)"));
}

}  // namespace
}  // namespace firn::encode
