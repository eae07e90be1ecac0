// The one table of configuration keys. Parsing, the environment form, the JSON Schema, the example file and the table
// in docs/configuration.md all come from it: a new key is one row here.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace firn::config {

enum class KeyType : uint8_t { kText, kInteger, kBoolean, kDuration, kTextList, kTextMap };
std::string_view ToString(KeyType type);  ///< "a text", "an integer", … as a message says it.

/// Where a key's value goes: a member of Config or of one table's TableConfig, or an entry in CatalogConfig::options or
/// Config::storage, by the rest of the key's path.
template <typename T>
using ConfigField = T& (*)(Config&);
template <typename T>
using TableField = T& (*)(TableConfig&);
struct CatalogOption {};
struct StorageOption {};
using TextList = std::vector<std::string>;
using TextMap = std::map<std::string, std::string>;
using Field = std::variant<ConfigField<std::string>, ConfigField<int>, ConfigField<int64_t>, ConfigField<bool>,
                           ConfigField<TextList>, ConfigField<TextMap>, TableField<std::string>,
                           TableField<std::optional<TextList>>, TableField<TextMap>, CatalogOption, StorageOption>;

struct ConfigKey {
  std::string_view path;  ///< "source.url"; a "*" stands for a name that the user chooses ("tables.*.columns").
  KeyType type = KeyType::kText;
  Field field;
  std::string_view doc;                        ///< Sentences, in Markdown without line breaks.
  std::vector<std::string_view> allowed = {};  ///< Empty: any value of the type.
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
  std::string_view default_note = {};  ///< What the default is, where it isn't just a value.
  std::string_view example = {};       ///< As YAML; a key with one is not commented out in the example file.
  bool required = false;
  bool secret = false;  ///< Its value may hold a secret: no message shows it.
};
std::span<const ConfigKey> ConfigKeys();
const ConfigKey* FindKey(std::string_view path);

struct ConfigSection {
  std::string_view path;  ///< "storage.s3"
  std::string_view doc;
};
/// In the order of the file.
std::span<const ConfigSection> ConfigSections();

/// A doc where no Markdown is read: without backticks, and a link is the document that it leads to (docs/tables.md).
std::string PlainText(std::string_view markdown);

/// "FIRN_CATALOG_URI". Keys of tables.* have no name of their own: FIRN_TABLES holds the whole section, as YAML.
std::string EnvironmentName(const ConfigKey& key);
/// The default as YAML, from Config's own initializers; empty when there is none.
std::string DefaultText(const ConfigKey& key);

}  // namespace firn::config
