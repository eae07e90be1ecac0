#include "encode/wire_numeric.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
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

std::string Format(std::string_view bytes) {
  std::string text(BinaryNumericTextBound(bytes), '\0');
  size_t written = 0;
  EXPECT_EQ(FormatBinaryNumeric(bytes, text.data(), written), Fault::kNone);
  EXPECT_LE(written, text.size());
  text.resize(written);
  return text;
}

std::string ToString(Int128 value) {
  std::string digits;
  UInt128 rest = value < 0 ? -static_cast<UInt128>(value) : static_cast<UInt128>(value);
  do digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  while ((rest /= 10) != 0);
  if (value < 0) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

std::string Decode(std::string_view bytes, int precision, int scale) {
  Int128 value = 0;
  const Fault fault = DecodeBinaryNumeric(bytes, DecimalLimits(precision, scale), value);
  return fault == Fault::kNone ? ToString(value) : fmt::format("fault {}", static_cast<int>(fault));
}
std::string DecodeText(std::string_view text, int precision, int scale) {
  Int128 value = 0;
  const Fault fault = DecodeTextNumeric(text, DecimalLimits(precision, scale), value);
  return fault == Fault::kNone ? ToString(value) : fmt::format("fault {}", static_cast<int>(fault));
}
std::string Faulty(Fault fault) { return fmt::format("fault {}", static_cast<int>(fault)); }

struct Golden {
  std::string text;
  std::string hex;
};

// numeric_out and encode(numeric_send(…), 'hex') of PostgreSQL 15.
const std::vector<Golden> kGolden = {
    {"0", "0000000000000000"},
    {"0.00", "0000000000000002"},
    {"1.5", "000200000000000100011388"},
    {"-1.5", "000200004000000100011388"},
    {"12345.67", "0003000100000002000109291a2c"},
    {"-99999999.99", "0003000140000002270f270f26ac"},
    {"10000", "00010001000000000001"},
    {"100000000", "00010002000000000001"},
    {"0.0001", "0001ffff000000040001"},
    {"0.00001", "0001fffe0000000503e8"},
    {"0.01", "0001ffff000000020064"},
    {"1234567890123456789012345678.9012345678", "000a00060000000a04d2162e23340d801ed204d2162e23340d801e78"},
    {"99999999999999999999999999999999999999", "000a0009000000000063270f270f270f270f270f270f270f270f270f"},
    {"0.00000000000000000000000000000000000001", "0001fff6000000260064"},
    {"100000000000000000000", "00010005000000000001"},
    {"0.00000000000000000001", "0001fffb000000140001"},
    {"1.10", "0002000000000002000103e8"},
    {"NaN", "00000000c0000000"},
    {"Infinity", "00000000d0000020"},
    {"-Infinity", "00000000f0000020"},
    {"123456789012345678", "0005000400000000000c0d801ed204d2162e"},
    {"9999999999999999.99", "0005000300000002270f270f270f270f26ac"},
    {"-0.00000123", "0001fffe40000008007b"},
};

TEST(WireNumeric, PrintsWhatPostgreSQLPrints) {
  for (const Golden& golden : kGolden) EXPECT_EQ(Format(FromHex(golden.hex)), golden.text);
}

TEST(WireNumeric, DecodesBothFormsAlikeAtEveryScale) {
  int decoded = 0;
  for (const Golden& golden : kGolden) {
    for (int precision : {1, 5, 18, 19, 38}) {
      for (int scale = 0; scale <= precision; ++scale) {
        const std::string binary = Decode(FromHex(golden.hex), precision, scale);
        const std::string text = DecodeText(golden.text, precision, scale);
        // Where two things are wrong, either may be told.
        if (binary.starts_with("fault") && text.starts_with("fault")) continue;
        EXPECT_EQ(binary, text) << golden.text << " as decimal(" << precision << "," << scale << ")";
        ++decoded;
      }
    }
  }
  EXPECT_GT(decoded, 500);
}

TEST(WireNumeric, DecodesToTheUnscaledInteger) {
  EXPECT_EQ(DecodeText("12345.67", 10, 2), "1234567");
  EXPECT_EQ(Decode(FromHex("0003000100000002000109291a2c"), 10, 2), "1234567");
  EXPECT_EQ(Decode(FromHex("0003000100000002000109291a2c"), 38, 33), "12345670000000000000000000000000000000");
  EXPECT_EQ(Decode(FromHex("000a0009000000000063270f270f270f270f270f270f270f270f270f"), 38, 0), std::string(38, '9'));
  EXPECT_EQ(Decode(FromHex("0001fff6000000260064"), 38, 38), "1");
  EXPECT_EQ(Decode(FromHex("0005000300000002270f270f270f270f26ac"), 18, 2), "999999999999999999");
}

TEST(WireNumeric, RefusesWhatTheDecimalCannotHold) {
  EXPECT_EQ(Decode(FromHex("0003000100000002000109291a2c"), 6, 2), Faulty(Fault::kTooManyDigits));
  EXPECT_EQ(DecodeText("12345.67", 6, 2), Faulty(Fault::kTooManyDigits));
  EXPECT_EQ(Decode(FromHex("000a0009000000000063270f270f270f270f270f270f270f270f270f"), 38, 1),
            Faulty(Fault::kTooManyDigits));
  EXPECT_EQ(DecodeText(std::string(38, '9'), 38, 1), Faulty(Fault::kTooManyDigits));
  EXPECT_EQ(Decode(FromHex("0003000100000002000109291a2c"), 10, 1), Faulty(Fault::kTooFine));
  EXPECT_EQ(DecodeText("12345.67", 10, 1), Faulty(Fault::kTooFine));
  EXPECT_EQ(Decode(FromHex("0001fff6000000260064"), 38, 5), Faulty(Fault::kTooFine));
  EXPECT_EQ(Decode(FromHex("00000000c0000000"), 38, 5), Faulty(Fault::kNaN));
  EXPECT_EQ(Decode(FromHex("00000000f0000020"), 38, 5), Faulty(Fault::kInfinity));
  EXPECT_EQ(DecodeText("-Infinity", 38, 5), Faulty(Fault::kInfinity));
  EXPECT_EQ(DecodeText(std::string(5000, '9'), 38, 0), Faulty(Fault::kTooManyDigits));
  EXPECT_EQ(Decode(FromHex("00017fff000000000001"), 38, 0), Faulty(Fault::kTooManyDigits));
}

TEST(WireNumeric, CallsOtherBytesMalformed) {
  for (const char* hex : {"", "00", "0001000000000000", "000000000000000000", "0001000000000000ffff",
                          "00010000000000002710", "0000000012340000", "000000000000ffff"}) {
    EXPECT_EQ(Decode(FromHex(hex), 10, 2), Faulty(Fault::kMalformed)) << hex;
  }
  std::string room(64, '\0');
  size_t written = 0;
  EXPECT_EQ(FormatBinaryNumeric(FromHex("00010000000000002710"), room.data(), written), Fault::kMalformed);
  for (const char* text : {"", "-", ".", "1.2.3", "1e5", " 1", "1 ", "+1", "--1", "nan"}) {
    EXPECT_EQ(DecodeText(text, 10, 2), Faulty(Fault::kMalformed)) << text;
  }
}

/// numeric_send of a decimal number's text.
std::string Send(const std::string& text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative) rest.remove_prefix(1);
  const size_t point = rest.find('.');
  std::string whole(rest.substr(0, point));
  std::string fraction(point == rest.npos ? "" : rest.substr(point + 1));
  const size_t dscale = fraction.size();
  while (whole.size() % 4 != 0) whole.insert(0, 1, '0');
  while (fraction.size() % 4 != 0) fraction.push_back('0');
  const std::string all = whole + fraction;
  std::vector<int> digits;
  for (size_t i = 0; i < all.size(); i += 4) digits.push_back(std::stoi(all.substr(i, 4)));
  int weight = static_cast<int>(whole.size() / 4) - 1;
  while (!digits.empty() && digits.front() == 0) {
    digits.erase(digits.begin());
    --weight;
  }
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
  if (digits.empty()) weight = 0;
  std::string bytes;
  const auto put = [&](int value) {
    bytes.push_back(static_cast<char>(value >> 8));
    bytes.push_back(static_cast<char>(value));
  };
  put(static_cast<int>(digits.size()));
  put(weight);
  put(negative && !digits.empty() ? 0x4000 : 0);
  put(static_cast<int>(dscale));
  for (int digit : digits) put(digit);
  return bytes;
}

TEST(WireNumeric, SendOfThisTestIsPostgreSQLs) {
  for (const Golden& golden : kGolden) {
    if (golden.text.find_first_not_of("-.0123456789") != std::string::npos) continue;
    EXPECT_EQ(Send(golden.text), FromHex(golden.hex));
  }
}

TEST(WireNumeric, DecodesRandomNumbersOfEveryPrecisionAndScale) {
  std::mt19937 random(38);
  for (int round = 0; round < 20'000; ++round) {
    const int precision = 1 + static_cast<int>(random() % 38);
    const int scale = static_cast<int>(random() % static_cast<unsigned>(precision + 1));
    std::string unscaled;
    for (int i = 0; i < precision; ++i) unscaled.push_back(random() % 3 ? static_cast<char>('0' + random() % 10) : '0');
    std::string text = unscaled;
    text.insert(static_cast<size_t>(precision - scale), scale > 0 ? "." : "");
    text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
    if (text.empty() || text[0] == '.') text.insert(0, 1, '0');
    unscaled.erase(0, std::min(unscaled.find_first_not_of('0'), unscaled.size() - 1));
    if (unscaled != "0" && random() % 2 == 0) {
      text.insert(0, 1, '-');
      unscaled.insert(0, 1, '-');
    }
    const std::string bytes = Send(text);
    ASSERT_EQ(Decode(bytes, precision, scale), unscaled) << text << " as decimal(" << precision << "," << scale << ")";
    ASSERT_EQ(DecodeText(text, precision, scale), unscaled) << text;
    ASSERT_EQ(Format(bytes), text);
  }
}

}  // namespace
}  // namespace firn::encode
