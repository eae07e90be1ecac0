#include <fmt/format.h>

#include <charconv>

#include "base/try.h"
#include "pipeline/expression.h"

namespace firn::pipeline {
namespace {

constexpr int kDepthMax = 50;

bool StartsName(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool ContinuesName(char c) { return StartsName(c) || IsDigit(c) || c == '$'; }

std::string Lower(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<ParsedExpression> Whole() {
    TRY(ParsedExpression expression, Expression(0));
    SkipBlanks();
    if (next_ < text_.size()) return Wrong("the expression has ended, but there is more");
    return expression;
  }

 private:
  Error Wrong(std::string_view what) const {
    return MakeError(ErrorKind::kInvalidConfig, "'{}', at {}: {}", text_, next_ + 1, what);
  }

  void SkipBlanks() {
    while (next_ < text_.size() && (text_[next_] == ' ' || text_[next_] == '\n' || text_[next_] == '\t')) ++next_;
  }

  bool Take(char c) {
    SkipBlanks();
    if (next_ >= text_.size() || text_[next_] != c) return false;
    ++next_;
    return true;
  }

  Result<ParsedExpression> Expression(int depth) {
    if (depth > kDepthMax) return Wrong("the expression is nested too deeply");
    SkipBlanks();
    ParsedExpression expression{.at = next_ + 1};
    if (next_ >= text_.size()) return Wrong("a column, a literal or a function is missing");
    const char first = text_[next_];
    if (first == '\'') {
      expression.kind = ParsedExpression::Kind::kText;
      TRY(expression.name, Quoted('\''));
    } else if (first == '"') {
      TRY(expression.name, Quoted('"'));
    } else if (IsDigit(first) || first == '-') {
      expression.kind = ParsedExpression::Kind::kNumber;
      TRY(expression.number, Number());
    } else if (StartsName(first)) {
      expression.name = Name();
      if (Take('(')) TRY_VOID(Arguments(expression, depth));
    } else {
      return Wrong(fmt::format("'{}' starts neither a column, nor a literal, nor a function", first));
    }
    return expression;
  }

  Status Arguments(ParsedExpression& call, int depth) {
    call.kind = ParsedExpression::Kind::kCall;
    call.name = Lower(call.name);
    if (Take(')')) return {};
    do {
      TRY(call.arguments.emplace_back(), Expression(depth + 1));
    } while (Take(','));
    if (call.name == "cast" && call.arguments.size() == 1) {
      SkipBlanks();
      if (Lower(text_.substr(next_, 2)) != "as") return Wrong("write cast(… as string), with int, long or string");
      next_ += 2;
      SkipBlanks();
      ParsedExpression type{.kind = ParsedExpression::Kind::kText, .at = next_ + 1, .name = Lower(Name())};
      call.arguments.push_back(std::move(type));
    }
    if (Take(')')) return {};
    return Wrong("a comma or a closing parenthesis is missing");
  }

  std::string Name() {
    const size_t start = next_;
    while (next_ < text_.size() && ContinuesName(text_[next_])) ++next_;
    return std::string(text_.substr(start, next_ - start));
  }

  Result<std::string> Quoted(char quote) {
    std::string value;
    for (++next_; next_ < text_.size(); ++next_) {
      if (text_[next_] == quote) {
        ++next_;
        if (next_ >= text_.size() || text_[next_] != quote) return value;
      }
      value.push_back(text_[next_]);
    }
    return Wrong("the closing quote is missing");
  }

  Result<int64_t> Number() {
    int64_t number = 0;
    const char* end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(text_.data() + next_, end, number);
    if (error != std::errc() || (stop != end && (ContinuesName(*stop) || *stop == '.'))) {
      return Wrong("a number must be an integer of at most 64 bits");
    }
    next_ = static_cast<size_t>(stop - text_.data());
    return number;
  }

  std::string_view text_;
  size_t next_ = 0;
};

}  // namespace

Result<ParsedExpression> ParseExpression(std::string_view text) { return Parser(text).Whole(); }

}  // namespace firn::pipeline
