// The table of keys in docs/configuration.md.
#pragma once

#include <string>

namespace firn::config {

/// Markdown: a heading, a sentence and a table for every section.
std::string ConfigReference();

}  // namespace firn::config
