// "did you mean …?": the known name that a wrong one most resembles.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace firn::config {

/// Letters to insert, delete, replace or swap with their neighbour to make `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b);

/// The nearest of `known` when it is near enough to be what was meant: at most a third of the letters differ.
std::optional<std::string> Suggest(std::string_view wrong, std::span<const std::string> known);

}  // namespace firn::config
