#include "maintenance/row_moves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "testing/results.h"

namespace firn::maintenance {
namespace {

using iceberg::RowPositions;
using testing::Do;
using testing::Value;
using Places = std::map<size_t, RowPositions>;

RowPositions At(std::initializer_list<uint64_t> rows) {
  RowPositions positions;
  for (const uint64_t row : rows) positions.add(row);
  return positions;
}

TEST(RowMovesTest, FindsRowsThatKeptTheirOrder) {
  RowMoves moves;
  for (int64_t row = 0; row < 10; ++row) {
    if (row != 4) moves.Add(0, row, 0, row < 4 ? row : row - 1);
  }
  for (int64_t row = 0; row < 5; ++row) moves.Add(1, row, row < 2 ? 0 : 1, row < 2 ? 9 + row : row - 2);
  EXPECT_EQ(Value(moves.Find({{0, At({0, 4, 9})}, {1, At({1, 2, 7})}, {5, At({0})}})),
            (Places{{0, At({0, 8, 10})}, {1, At({0})}}));
  EXPECT_TRUE(Value(moves.Find({})).empty());
}

/// More rows than are kept in memory, of several files, to several files.
TEST(RowMovesTest, FindsRowsThatWereSorted) {
  constexpr size_t kFiles = 3;
  constexpr int64_t kRows = 1'000'000;
  std::vector<int64_t> origins;
  for (size_t file = 0; file < kFiles; ++file) {
    for (int64_t row = 0; row < kRows; ++row) origins.push_back(RowOrigin::Of(file, row));
  }
  std::mt19937 dice(5);
  std::ranges::shuffle(origins, dice);
  RowMoves moves(::testing::TempDir());
  std::vector<std::pair<size_t, int64_t>> place_of(origins.size());  // By file and row.
  std::map<size_t, int64_t> ends;
  constexpr size_t kBatch = 50'000;
  for (size_t begin = 0; begin < origins.size(); begin += kBatch) {
    const size_t to = begin / kBatch % 2;  // Two files at the same time.
    const auto batch = std::span(origins).subspan(begin, std::min(kBatch, origins.size() - begin));
    Do(moves.AddSorted(batch, to, ends[to]));
    for (const int64_t origin : batch) {
      place_of[RowOrigin::File(origin) * kRows + static_cast<size_t>(RowOrigin::Row(origin))] = {to, ends[to]++};
    }
  }
  const RowMoves moved = std::move(moves);
  Places wanted, expected;
  for (int i = 0; i < 1'000; ++i) {
    const size_t file = dice() % 2 * 2;  // None of the second.
    const size_t row = dice() % kRows;
    wanted[file].add(uint64_t{row});
    const auto [to, to_row] = place_of[file * kRows + row];
    expected[to].add(static_cast<uint64_t>(to_row));
  }
  EXPECT_EQ(Value(moved.Find(wanted)), expected);
  EXPECT_EQ(Value(moved.Find(wanted)), expected);  // A commit that is lost asks again.
}

}  // namespace
}  // namespace firn::maintenance
