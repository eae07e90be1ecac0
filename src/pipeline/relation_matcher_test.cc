#include "pipeline/relation_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TypeOid kInt4 = 23, kInt8 = 20, kText = 25, kVarchar = 1043;

std::vector<postgres::RelationColumn> Message(const std::vector<std::string_view>& names, TypeOid type = kInt4) {
  std::vector<postgres::RelationColumn> columns;
  for (const std::string_view name : names) columns.push_back({.name = name, .type_oid = type});
  return columns;
}

KnownAttribute Live(int16_t attnum, std::vector<std::string> names, TypeOid type = kInt4) {
  return {.attnum = attnum, .names = std::move(names), .type_oid = type};
}
KnownAttribute Dropped(int16_t attnum, std::vector<std::string> names = {}) {
  return {.attnum = attnum, .dropped = true, .names = std::move(names)};
}

RelationMatch Older(const std::vector<postgres::RelationColumn>& columns, const std::vector<KnownAttribute>& known) {
  return MatchRelation(columns, known, /*may_be_older=*/true);
}

TEST(RelationMatcher, KnowsTheTableOfNow) {
  const std::vector<KnownAttribute> known = {Live(1, {"id"}), Dropped(2, {"name"}), Live(5, {"note", "remark"})};
  const RelationMatch match = MatchRelation(Message({"id", "note"}), known, false);
  EXPECT_EQ(match.fit, RelationFit::kNow);
  EXPECT_THAT(match.attnums, ElementsAre(1, 5));
  for (const auto& names :
       {std::vector<std::string_view>{"id", "remark"}, {"id"}, {"note", "id"}, {"id", "note", "x"}}) {
    EXPECT_EQ(MatchRelation(Message(names), known, false).fit, RelationFit::kOther);
  }
}

TEST(RelationMatcher, SeesAnotherTypeOrModifier) {
  const std::vector<KnownAttribute> known = {Live(1, {"id"}), Live(2, {"amount"})};
  auto columns = Message({"id", "amount"});
  columns[1].type_oid = kInt8;
  EXPECT_EQ(MatchRelation(columns, known, false).fit, RelationFit::kOther);
  EXPECT_EQ(Older(columns, known).fit, RelationFit::kOther);
  columns = Message({"id", "amount"});
  columns[1].type_modifier = 12;
  EXPECT_EQ(MatchRelation(columns, known, false).fit, RelationFit::kOther);
  EXPECT_EQ(Older(columns, known).fit, RelationFit::kOlder);
}

TEST(RelationMatcher, TakesAVarcharThatBecameText) {
  EXPECT_EQ(Older(Message({"name"}, kVarchar), {Live(1, {"name"}, kText)}).fit, RelationFit::kOlder);
}

TEST(RelationMatcher, TakesColumnsThatWereAddedLaterForMissing) {
  const RelationMatch match = Older(Message({"id"}), {Live(1, {"id"}), Live(2, {"note"})});
  EXPECT_EQ(match.fit, RelationFit::kOlder);
  EXPECT_THAT(match.attnums, ElementsAre(1));
}

TEST(RelationMatcher, IgnoresColumnsThatWereDroppedLater) {
  const RelationMatch match =
      Older(Message({"id", "name", "note"}), {Live(1, {"id"}), Dropped(2, {"name"}), Live(3, {"note"})});
  EXPECT_EQ(match.fit, RelationFit::kOlder);
  EXPECT_THAT(match.attnums, ElementsAre(1, 0, 3));
}

TEST(RelationMatcher, FollowsNamesThatWereSwapped) {
  const RelationMatch match = Older(Message({"a", "b"}), {Live(1, {"b", "a"}), Live(2, {"a", "b"})});
  EXPECT_EQ(match.fit, RelationFit::kOlder);
  EXPECT_THAT(match.attnums, ElementsAre(1, 2));
}

TEST(RelationMatcher, TellsByNameADroppedColumnFromOneThatWasAdded) {
  const std::vector<KnownAttribute> known = {Live(1, {"id"}), Dropped(2, {"old"}), Live(3, {"new"})};
  EXPECT_THAT(Older(Message({"id", "old"}), known).attnums, ElementsAre(1, 0));
  EXPECT_THAT(Older(Message({"id", "new"}), known).attnums, ElementsAre(1, 3));
  EXPECT_THAT(Older(Message({"id", "old", "new"}), known).attnums, ElementsAre(1, 0, 3));
}

TEST(RelationMatcher, DoesNotGuessWhichOfTwoColumnsOfOneNameIsMeant) {
  const std::vector<KnownAttribute> known = {Live(1, {"id"}), Dropped(2, {"note"}), Live(3, {"note"})};
  EXPECT_EQ(Older(Message({"id", "note"}), known).fit, RelationFit::kUnclear);
  // After the table came to be as it is, there is no doubt.
  EXPECT_EQ(MatchRelation(Message({"id", "note"}), known, false).fit, RelationFit::kNow);
}

TEST(RelationMatcher, DoesNotGuessByNamesThatItNeverSaw) {
  const std::vector<KnownAttribute> known = {Live(1, {"id"}), Dropped(2, {"old"}), Live(3, {"new"})};
  EXPECT_EQ(Older(Message({"id", "between"}), known).fit, RelationFit::kUnclear);
  EXPECT_EQ(Older(Message({"id", "between", "more"}), known).fit, RelationFit::kOlder);
}

TEST(RelationMatcher, DoesNotKnowColumnsThatNeverWere) {
  EXPECT_EQ(Older(Message({"id", "note", "more"}), {Live(1, {"id"}), Live(2, {"note"})}).fit, RelationFit::kOther);
  // A column that there still is can't be passed over.
  EXPECT_EQ(Older(Message({"c"}), {Live(1, {"a"}, kText), Live(2, {"c"})}).fit, RelationFit::kOther);
}

TEST(RelationMatcher, KnowsATableWithoutColumns) {
  EXPECT_THAT(Older({}, {Dropped(1, {"a"}), Live(2, {"b"})}).attnums, IsEmpty());
  EXPECT_EQ(Older({}, {Dropped(1, {"a"}), Live(2, {"b"})}).fit, RelationFit::kOlder);
}

TEST(KeptRelation, OutlivesTheMessage) {
  std::unique_ptr<KeptRelation> kept;
  {
    std::string buffer = "id note public t";
    const std::string_view text = buffer;
    const std::vector<postgres::RelationColumn> columns = {{.is_key = true, .name = text.substr(0, 2)},
                                                           {.name = text.substr(3, 4), .type_oid = kText}};
    kept = std::make_unique<KeptRelation>(postgres::RelationMessage{
        .oid = {7}, .schema = text.substr(8, 6), .name = text.substr(15), .columns = columns});
    buffer.assign(buffer.size(), '#');
  }
  const postgres::RelationMessage& message = kept->message();
  EXPECT_EQ(message.schema, "public");
  EXPECT_EQ(message.name, "t");
  ASSERT_EQ(message.columns.size(), 2U);
  EXPECT_TRUE(message.columns[0].is_key);
  EXPECT_EQ(message.columns[1].name, "note");
}

/// A table under random DDL, and every definition that it has had.
class History {
 public:
  explicit History(uint32_t seed, bool reuses_names) : random_(seed), reuses_names_(reuses_names) {
    for (int i = 0; i < 3; ++i) Add();
    Record();
  }

  void Step() {
    switch (Below(4)) {
      case 0:
        Add();
        break;
      case 1:
        if (!live().empty()) attributes_[Pick()].dropped = true;
        break;
      case 2:
        if (!live().empty()) Rename(Pick(), NewName());
        break;
      case 3:
        if (live().size() >= 2) {
          const size_t a = Pick(), b = Pick();
          const std::string name = names_[a];
          if (a != b) {
            Rename(a, names_[b]);
            Rename(b, name);
          }
        }
        break;
    }
    Record();
  }

  struct Definition {
    std::vector<std::string> names;
    std::vector<int16_t> attnums;
  };
  const std::vector<Definition>& definitions() const { return definitions_; }

  /// What firn knows of it in the end, having looked after each step or only now and then.
  std::vector<KnownAttribute> Known(bool looked_always) {
    std::vector<KnownAttribute> known = attributes_;
    for (size_t i = 0; i < known.size(); ++i) {
      known[i].names.clear();
      if (!known[i].dropped) known[i].names.push_back(names_[i]);
      for (const std::string& name : had_[i]) {
        if (looked_always || Below(2) == 0) known[i].names.push_back(name);
      }
    }
    return known;
  }

  bool IsDropped(int16_t attnum) const { return attributes_[static_cast<size_t>(attnum) - 1].dropped; }

 private:
  size_t Below(size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random_); }
  std::vector<size_t> live() const {
    std::vector<size_t> indexes;
    for (size_t i = 0; i < attributes_.size(); ++i) {
      if (!attributes_[i].dropped) indexes.push_back(i);
    }
    return indexes;
  }
  size_t Pick() { return live()[Below(live().size())]; }
  /// A name that no column has now.
  std::string NewName() {
    while (true) {
      const std::string name = "c" + std::to_string(reuses_names_ ? Below(8) : next_name_++);
      const auto used = live();
      if (std::ranges::none_of(used, [&](size_t i) { return names_[i] == name; })) return name;
    }
  }
  void Add() {
    if (live().size() >= 6) return;
    const std::string name = NewName();
    attributes_.push_back({.attnum = static_cast<int16_t>(attributes_.size() + 1), .type_oid = kInt4});
    names_.push_back(name);
    had_.emplace_back();
  }
  void Rename(size_t i, const std::string& name) { names_[i] = name; }
  void Record() {
    Definition& now = definitions_.emplace_back();
    for (const size_t i : live()) {
      now.names.push_back(names_[i]);
      now.attnums.push_back(attributes_[i].attnum);
      had_[i].push_back(names_[i]);
    }
  }

  std::mt19937 random_;
  bool reuses_names_;
  int next_name_ = 0;
  std::vector<KnownAttribute> attributes_;
  std::vector<std::string> names_;             ///< By attribute, now (or when it was dropped).
  std::vector<std::vector<std::string>> had_;  ///< By attribute.
  std::vector<Definition> definitions_;
};

/// Shares of the definitions of many tables.
struct Shares {
  double told = 0;   ///< With certainty.
  double wrong = 0;  ///< And told wrong.
};

Shares TellAll(bool reuses_names, bool looked_always) {
  int told = 0, wrong = 0, all = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    History history(seed, reuses_names);
    for (int step = 0; step < 8; ++step) history.Step();
    const std::vector<KnownAttribute> known = history.Known(looked_always);
    for (const History::Definition& definition : history.definitions()) {
      const std::vector<std::string_view> names(definition.names.begin(), definition.names.end());
      const RelationMatch match = Older(Message(names), known);
      EXPECT_NE(match.fit, RelationFit::kOther) << "seed " << seed;
      ++all;
      if (match.fit != RelationFit::kOlder) continue;
      ++told;
      std::vector<int16_t> expected = definition.attnums;
      for (int16_t& attnum : expected) attnum = history.IsDropped(attnum) ? 0 : attnum;
      if (match.attnums != expected) ++wrong;
    }
  }
  return {.told = static_cast<double>(told) / all, .wrong = static_cast<double>(wrong) / all};
}

TEST(RelationMatcher, IsNeverWrongUnderRandomDdlThatItSaw) {
  const Shares fresh_names = TellAll(/*reuses_names=*/false, /*looked_always=*/true);
  EXPECT_GT(fresh_names.told, 0.95);
  EXPECT_EQ(fresh_names.wrong, 0);
  const Shares reused_names = TellAll(/*reuses_names=*/true, /*looked_always=*/true);
  EXPECT_GT(reused_names.told, 0.5);
  EXPECT_EQ(reused_names.wrong, 0);
}

// Half of the names that columns had are unknown, and columns swapped names unseen: the known gap of
// docs/decisions/0008, which must stay a rare one.
TEST(RelationMatcher, IsSeldomWrongWhereNamesCameAndWentUnseen) {
  const Shares shares = TellAll(/*reuses_names=*/false, /*looked_always=*/false);
  EXPECT_GT(shares.told, 0.6);
  EXPECT_LT(shares.wrong, 0.002);
}

}  // namespace
}  // namespace firn::pipeline
