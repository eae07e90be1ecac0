#include "cli/text_table.h"

#include <gtest/gtest.h>

namespace firn::cli {
namespace {

TEST(TextTable, AlignsColumns) {
  TextTable table({{"TABLE"}, {"STATE"}, {"ROWS", Align::kRight}});
  table.AddRow({"public.orders", "streaming", "1,200,000"});
  table.AddRow({"public.items", "copying", "7"});
  EXPECT_EQ(table.Render(),
            "TABLE          STATE           ROWS\n"
            "public.orders  streaming  1,200,000\n"
            "public.items   copying            7\n");
}

TEST(TextTable, ColoursCellsWithoutMovingThem) {
  TextTable table({{"A"}, {"B", Align::kRight}}, /*colours=*/true);
  table.AddRow({{"ok", Ink::kGood}, "1"});
  table.AddRow({"longer", {"22", Ink::kBad}});
  EXPECT_EQ(table.Render(),
            "\x1b[2mA\x1b[0m        \x1b[2mB\x1b[0m\n"
            "\x1b[32mok\x1b[0m       1\n"
            "longer  \x1b[31m22\x1b[0m\n");
}

TEST(TextTable, CountsCodePointsAndNotBytes) {
  TextTable table({{"A"}, {"B"}});
  table.AddRow({"Größe", "x"});
  table.AddRow({"Groes", "y"});
  EXPECT_EQ(table.Render(), "A      B\nGröße  x\nGroes  y\n");
}

TEST(TextTable, TakesRowsThatAreTooShortOrTooLong) {
  TextTable table({{"A"}, {"B"}});
  table.AddRow({"1"});
  table.AddRow({"1", "2", "3"});
  EXPECT_EQ(table.Render(), "A  B\n1\n1  2\n");
}

TEST(TextTable, KeepsControlCharactersFromTheTerminal) {
  TextTable table({{"A"}});
  table.AddRow({"a\x1b[2Jb\n"});
  EXPECT_EQ(table.Render(), "A\na?[2Jb?\n");
}

TEST(TextTable, FitsATerminal) {
  TextTable table({{"TABLE"}, {"TARGET", Align::kLeft, 1}, {"STATE"}, {"LSN", Align::kRight, 2}});
  table.AddRow({"public.orders", "shop.orders", "streaming", "0/16B3748"});
  EXPECT_EQ(table.Render(50),
            "TABLE          TARGET       STATE            LSN\n"
            "public.orders  shop.orders  streaming  0/16B3748\n");
  EXPECT_EQ(table.Render(47),
            "TABLE          TARGET       STATE\n"
            "public.orders  shop.orders  streaming\n");
  EXPECT_EQ(table.Render(30), "TABLE          STATE\npublic.orders  streaming\n");
  EXPECT_EQ(table.Render(20), "TABLE      STATE\npublic.o…  streaming\n");
  EXPECT_EQ(table.Render(5), "TABLE     STATE\npublic.…  streami…\n") << "no shorter than can be read";
}

TEST(Shortened, CutsBetweenCodePoints) {
  EXPECT_EQ(Shortened("Größe", 5), "Größe");
  EXPECT_EQ(Shortened("Größe", 4), "Grö…");
  EXPECT_EQ(Shortened("Größe", 1), "…");
  EXPECT_EQ(Shortened("Größe", 0), "");
}

}  // namespace
}  // namespace firn::cli
