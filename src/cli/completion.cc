#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <vector>

namespace firn::cli {
namespace {

struct OptionWords {
  std::vector<std::string> names;  ///< "--config", "-h"
  std::string description;
  bool takes_value = false;
  bool takes_path = false;
  std::vector<std::string> values;  ///< Those that it may have; none: any.
};

/// A command with its place: "" for the program, "config example" for a command of a command.
struct CommandWords {
  std::string path;
  std::vector<const CLI::App*> commands;
  std::vector<OptionWords> options;
  std::vector<std::string> values;  ///< Of its arguments without a name.
};

/// CLI11 writes what is allowed behind the type: "TEXT:{firn,spark}".
std::vector<std::string> ValuesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  std::vector<std::string> values;
  for (size_t start = open + 1; start < close;) {
    const size_t end = std::min(type.find(',', start), close);
    values.push_back(type.substr(start, end - start));
    start = end + 1;
  }
  return values;
}

OptionWords WordsOf(const CLI::Option& option) {
  OptionWords words{.description = option.get_description(), .takes_value = option.get_items_expected_max() > 0};
  for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
  words.takes_path = option.get_type_name() == "FILE" || option.get_type_name() == "DIR";
  words.values = ValuesOf(option);
  return words;
}

/// The program first, then every command before its own commands.
void Collect(const CLI::App& app, const std::string& path, std::vector<CommandWords>& all) {
  CommandWords words{.path = path, .commands = app.get_subcommands([](const CLI::App*) { return true; })};
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) {
      words.options.push_back(WordsOf(*option));
    } else {
      std::ranges::move(ValuesOf(*option), std::back_inserter(words.values));
    }
  }
  const auto commands = words.commands;
  all.push_back(std::move(words));
  for (const CLI::App* command : commands) {
    Collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), all);
  }
}

std::vector<std::string> Candidates(const CommandWords& command) {
  std::vector<std::string> words;
  for (const CLI::App* child : command.commands) words.push_back(child->get_name());
  words.insert(words.end(), command.values.begin(), command.values.end());
  for (const OptionWords& option : command.options) words.insert(words.end(), option.names.begin(), option.names.end());
  return words;
}

/// The options of all commands that take a path, or a text of which nothing is known: a shell's pattern, empty where
/// there are none.
std::string OptionsThatTake(bool path, const std::vector<CommandWords>& commands) {
  std::vector<std::string> names;
  for (const CommandWords& command : commands) {
    for (const OptionWords& option : command.options) {
      const bool wanted = path ? option.takes_path : option.takes_value && !option.takes_path && option.values.empty();
      if (wanted) names.insert(names.end(), option.names.begin(), option.names.end());
    }
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return fmt::format("{}", fmt::join(names, "|"));
}

/// Those of which it is known what they may be, with that: a pattern of their names for each set of values.
std::map<std::string, std::string> OptionsWithValues(const std::vector<CommandWords>& commands) {
  std::map<std::string, std::set<std::string>> names_of;
  for (const CommandWords& command : commands) {
    for (const OptionWords& option : command.options) {
      if (option.values.empty()) continue;
      names_of[fmt::format("{}", fmt::join(option.values, " "))].insert(option.names.begin(), option.names.end());
    }
  }
  std::map<std::string, std::string> values_of;
  for (const auto& [values, names] : names_of) values_of.emplace(fmt::format("{}", fmt::join(names, "|")), values);
  return values_of;
}

std::string CommandNames(const std::vector<CommandWords>& commands) {
  std::vector<std::string> names;
  for (const CommandWords& command : commands) {
    for (const CLI::App* child : command.commands) names.push_back(child->get_name());
  }
  return fmt::format("{}", fmt::join(names, "|"));
}

/// 'text' for a POSIX shell.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Follows the words up to the cursor to the command, then offers its words; paths after options that take one.
std::string Bash(const std::string& program, const std::vector<CommandWords>& commands) {
  std::string out = fmt::format(
      "# bash completion for {0}: source <({0} completion bash)\n"
      "_{0}() {{\n"
      "  local word path='' current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n"
      "    case $word in {1}) path=\"${{path:+$path }}$word\" ;; esac\n"
      "  done\n"
      "  COMPREPLY=()\n"
      "  # --config=PATH is three words.\n"
      "  if [[ $current == '=' ]]; then\n"
      "    current=''\n"
      "  elif [[ $previous == '=' ]]; then\n"
      "    previous=${{COMP_WORDS[COMP_CWORD-2]}}\n"
      "  fi\n"
      "  case $previous in\n",
      program, CommandNames(commands));
  const std::string takes_path = OptionsThatTake(/*path=*/true, commands);
  const std::string takes_text = OptionsThatTake(/*path=*/false, commands);
  if (!takes_path.empty()) {
    out += fmt::format(
        "    {}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;\n", takes_path);
  }
  for (const auto& [options, values] : OptionsWithValues(commands)) {
    out += fmt::format("    {}) mapfile -t COMPREPLY < <(compgen -W {} -- \"$current\"); return ;;\n", options,
                       Quoted(values));
  }
  if (!takes_text.empty()) out += fmt::format("    {}) return ;;\n", takes_text);
  out += "  esac\n  case $path in\n";
  for (const CommandWords& command : commands) {
    out += fmt::format("    {}) mapfile -t COMPREPLY < <(compgen -W {} -- \"$current\") ;;\n", Quoted(command.path),
                       Quoted(fmt::format("{}", fmt::join(Candidates(command), " "))));
  }
  return out + fmt::format("  esac\n}}\ncomplete -F _{0} {0}\n", program);
}

/// As bash's, with descriptions.
std::string Zsh(const std::string& program, const std::vector<CommandWords>& commands) {
  const auto entry = [](const std::string& name, const std::string& description) {
    std::string escaped;  // A colon parts the name from its description.
    for (const char c : name) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
    return " " + Quoted(escaped + ":" + description);
  };
  std::string out = fmt::format(
      "#compdef {0}\n"
      "# zsh completion for {0}: source <({0} completion zsh), after compinit\n"
      "_{0}() {{\n"
      "  local word completed=''\n"
      "  local -a candidates\n"
      "  for word in ${{words[2,CURRENT-1]}}; do\n"
      "    case $word in {1}) completed=\"${{completed:+$completed }}$word\" ;; esac\n"
      "  done\n"
      "  case ${{words[CURRENT-1]}} in\n",
      program, CommandNames(commands));
  const std::string takes_path = OptionsThatTake(/*path=*/true, commands);
  const std::string takes_text = OptionsThatTake(/*path=*/false, commands);
  if (!takes_path.empty()) out += fmt::format("    {}) _files; return ;;\n", takes_path);
  for (const auto& [options, values] : OptionsWithValues(commands)) {
    out += fmt::format("    {}) compadd {}; return ;;\n", options, values);
  }
  if (!takes_text.empty()) out += fmt::format("    {}) return ;;\n", takes_text);
  out += "  esac\n  case $completed in\n";
  for (const CommandWords& command : commands) {
    out += fmt::format("    {}) candidates=(", Quoted(command.path));
    for (const CLI::App* child : command.commands) out += entry(child->get_name(), child->get_description());
    for (const std::string& value : command.values) out += " " + Quoted(value);
    for (const OptionWords& option : command.options) {
      for (const std::string& name : option.names) out += entry(name, option.description);
    }
    out += " ) ;;\n";
  }
  return out + fmt::format(
                   "  esac\n  _describe {0} candidates\n}}\n"
                   "if [ \"$funcstack[1]\" = _{0} ]; then _{0} \"$@\"; else compdef _{0} {0}; fi\n",
                   program);
}

/// One `complete` line for each word of each command.
std::string Fish(const std::string& program, const std::vector<CommandWords>& commands) {
  std::string out =
      fmt::format("# fish completion for {0}: {0} completion fish | source\ncomplete -c {0} -f\n", program);
  for (const CommandWords& command : commands) {
    std::vector<std::string> children;
    for (const CLI::App* child : command.commands) children.push_back(child->get_name());
    std::string condition = "__fish_use_subcommand";
    if (!command.path.empty()) {
      condition = "__fish_seen_subcommand_from " + command.path.substr(command.path.rfind(' ') + 1);
      if (!children.empty())
        condition += fmt::format("; and not __fish_seen_subcommand_from {}", fmt::join(children, " "));
    }
    for (const CLI::App* child : command.commands) {
      out += fmt::format("complete -c {} -n {} -a {} -d {}\n", program, Quoted(condition), child->get_name(),
                         Quoted(child->get_description()));
    }
    if (!command.values.empty()) {
      out += fmt::format("complete -c {} -n {} -a {}\n", program, Quoted(condition),
                         Quoted(fmt::format("{}", fmt::join(command.values, " "))));
    }
    for (const OptionWords& option : command.options) {
      out += fmt::format("complete -c {} -n {}", program, Quoted(condition));
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) out += option.takes_path ? " -r -F" : " -x";
      if (!option.values.empty()) out += " -a " + Quoted(fmt::format("{}", fmt::join(option.values, " ")));
      out += fmt::format(" -d {}\n", Quoted(option.description));
    }
  }
  return out;
}

}  // namespace

Result<std::string> CompletionScript(const CLI::App& app, const std::string& shell) {
  std::vector<CommandWords> commands;
  Collect(app, "", commands);
  if (shell == "bash") return Bash("firn", commands);
  if (shell == "zsh") return Zsh("firn", commands);
  if (shell == "fish") return Fish("firn", commands);
  return MakeError(ErrorKind::kInvalidConfig, "no completion for '{}'; there is bash, zsh and fish", shell);
}

}  // namespace firn::cli
