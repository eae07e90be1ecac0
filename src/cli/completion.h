// Completion scripts for shells, made from the program's own commands and options: they can't miss one.
#pragma once

#include <string>

#include "firn/result.h"

namespace CLI {
class App;
}

namespace firn::cli {

/// For "bash", "zsh" or "fish"; kInvalidConfig for another. Options whose type name is FILE or DIR complete paths.
/// What an option or an argument may be, by CLI::IsMember or at the end of its type name ("SHELL:{bash,zsh}"), is
/// offered.
Result<std::string> CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace firn::cli
