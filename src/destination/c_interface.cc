// <firn/firn.h> over Destination: strings and codes at the edge, and no exception beyond it.

#include <charconv>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "firn/destination.h"
#include "firn/firn.h"
#include "observe/redact.h"

struct firn_destination {
  std::unique_ptr<firn::Destination> destination;
  std::string last_error;
};

namespace firn {
namespace {

static_assert(static_cast<int>(ErrorKind::kTransient) + 1 == FIRN_TRANSIENT);
static_assert(static_cast<int>(ErrorKind::kTableNotFound) + 1 == FIRN_TABLE_NOT_FOUND);
static_assert(static_cast<int>(ErrorKind::kInternal) + 1 == FIRN_INTERNAL);

std::string& OpenError() {
  thread_local std::string error;
  return error;
}

/// What `call` gives, as a code; its error's text into `last_error`.
template <typename Call>
int AtTheEdge(std::string& last_error, Call&& call) {
  Status status;
  try {
    status = call();
  } catch (const std::exception& exception) {
    status = MakeError(ErrorKind::kInternal, "an exception: {}", exception.what());
  }
  if (status) return FIRN_OK;
  last_error = RedactSecrets(status.error().message());
  return static_cast<int>(status.error().kind()) + 1;
}

Error Missing(std::string_view what) { return MakeError(ErrorKind::kInvalidConfig, "{} is NULL", what); }

template <typename Call>
int On(firn_destination* destination, Call&& call) {
  if (destination == nullptr) {
    OpenError() = Missing("the destination").message();
    return FIRN_INVALID;
  }
  return AtTheEdge(destination->last_error, [&]() -> Status { return call(*destination->destination); });
}

Result<TableId> TableOf(const char* name_space, const char* name) {
  if (name_space == nullptr) return Missing("the namespace");
  if (name == nullptr) return Missing("the table's name");
  return TableId{name_space, name};
}

struct Option {
  std::string_view name;
  std::string value;
};

Result<std::vector<Option>> OptionsOf(const char* const* options) {
  std::vector<Option> all;
  for (; options != nullptr && *options != nullptr; ++options) {
    const std::string_view text = *options;
    const size_t equals = text.find('=');
    if (equals == text.npos) {
      return MakeError(ErrorKind::kInvalidConfig, "option '{}' is not of the form name=value", text);
    }
    all.push_back({text.substr(0, equals), std::string(text.substr(equals + 1))});
  }
  return all;
}

template <typename Integer>
Status Parse(const Option& option, Integer& value) {
  const char* const end = option.value.data() + option.value.size();
  const auto parsed = std::from_chars(option.value.data(), end, value);
  if (parsed.ec == std::errc() && parsed.ptr == end) return {};
  return MakeError(ErrorKind::kInvalidConfig, "option {}: '{}' is not an integer", option.name, option.value);
}

Error Unknown(const Option& option, std::string_view known) {
  return MakeError(ErrorKind::kInvalidConfig, "option {}={} is not known; there are {}", option.name, option.value,
                   known);
}

Result<DestinationOptions> DestinationOptionsOf(const char* const* texts) {
  TRY(const auto options, OptionsOf(texts));
  DestinationOptions parsed;
  for (const Option& option : options) {
    if (option.name == "catalog_uri") {
      parsed.catalog_uri = option.value;
    } else if (option.name == "catalog_name") {
      parsed.catalog_name = option.value;
    } else if (option.name == "warehouse") {
      parsed.warehouse = option.value;
    } else if (option.name == "configuration") {
      parsed.configuration = option.value;
    } else if (option.name == "state_directory") {
      parsed.state_directory = option.value;
    } else if (option.name == "pipeline") {
      parsed.pipeline = option.value;
    } else if (option.name == "compression") {
      parsed.compression = option.value;
    } else if (option.name == "target_file_size_bytes") {
      TRY_VOID(Parse(option, parsed.target_file_size_bytes));
    } else if (option.name == "max_retries") {
      TRY_VOID(Parse(option, parsed.max_retries));
    } else if (option.name == "format_version") {
      TRY_VOID(Parse(option, parsed.format_version));
    } else if (option.name == "deletes" && option.value == "position") {
      parsed.deletes = DeleteForm::kPosition;
    } else if (option.name == "deletes" && option.value == "vector") {
      parsed.deletes = DeleteForm::kVector;
    } else if (option.name == "deletes" && option.value == "equality") {
      parsed.deletes = DeleteForm::kEquality;
    } else {
      return Unknown(
          option,
          "catalog_uri, catalog_name, warehouse, configuration, state_directory, pipeline, "
          "target_file_size_bytes, compression, max_retries, format_version, and deletes=position, vector or equality");
    }
  }
  return parsed;
}

Status ParseTableOptions(const char* const* texts, TableDefinition& definition) {
  TRY(const auto options, OptionsOf(texts));
  for (const Option& option : options) {
    if (option.name == "partition_by") {
      definition.partition_by.push_back(option.value);
    } else if (option.name == "track_changes" && (option.value == "true" || option.value == "false")) {
      definition.track_changes = option.value == "true";
    } else if (option.name == "mode" && option.value == "mirror") {
      definition.mode = ChangeMode::kMirror;
    } else if (option.name == "mode" && option.value == "soft-delete") {
      definition.mode = ChangeMode::kSoftDelete;
    } else if (option.name == "mode" && option.value == "history") {
      definition.mode = ChangeMode::kHistory;
    } else if (option.name == "mode" && option.value == "append") {
      definition.mode = ChangeMode::kAppend;
    } else {
      return Unknown(option,
                     "partition_by, track_changes=true or false, and mode=mirror, soft-delete, history or append");
    }
  }
  return {};
}

Result<EventKind> KindOf(firn_operation operation) {
  switch (operation) {
    case FIRN_INSERT:
      return EventKind::kInsert;
    case FIRN_UPSERT:
      return EventKind::kUpdate;
    case FIRN_DELETE:
      return EventKind::kDelete;
  }
  return MakeError(ErrorKind::kInvalidConfig, "operation {} is not known", static_cast<int>(operation));
}

/// Releases one of Arrow's structs that no other call has taken over.
template <typename Struct>
class Given {
 public:
  explicit Given(Struct* given) : given_(given) {}
  ~Given() {
    if (given_ != nullptr && given_->release != nullptr) given_->release(given_);
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

 private:
  Struct* given_;
};

}  // namespace
}  // namespace firn

const char* firn_version(void) { return FIRN_VERSION; }

int firn_open(const char* const* options, firn_destination** destination) {
  return firn::AtTheEdge(firn::OpenError(), [&]() -> firn::Status {
    if (destination == nullptr) return firn::Missing("the place for the destination");
    *destination = nullptr;
    TRY(const auto parsed, firn::DestinationOptionsOf(options));
    TRY(auto opened, firn::Destination::Open(parsed));
    *destination = new firn_destination{std::move(opened), {}};
    return {};
  });
}

void firn_close(firn_destination* destination) { delete destination; }

const char* firn_last_error(const firn_destination* destination) {
  return destination == nullptr ? firn::OpenError().c_str() : destination->last_error.c_str();
}

int firn_define_table(firn_destination* destination, const char* name_space, const char* name, ArrowSchema* columns,
                      const char* const* key, const char* const* options) {
  const firn::Given<ArrowSchema> given(columns);
  return firn::On(destination, [&](firn::Destination& tables) -> firn::Status {
    if (columns == nullptr) return firn::Missing("the columns");
    firn::TableDefinition definition;
    TRY(definition.id, firn::TableOf(name_space, name));
    TRY(definition.columns, firn::ColumnsOf(columns));
    for (; key != nullptr && *key != nullptr; ++key) definition.key.emplace_back(*key);
    TRY_VOID(firn::ParseTableOptions(options, definition));
    return tables.DefineTable(definition);
  });
}

int firn_add(firn_destination* destination, const char* name_space, const char* name, firn_operation operation,
             ArrowSchema* schema, ArrowArray* rows) {
  const firn::Given<ArrowSchema> given_schema(schema);
  const firn::Given<ArrowArray> given_rows(rows);
  return firn::On(destination, [&](firn::Destination& tables) -> firn::Status {
    if (schema == nullptr || rows == nullptr) return firn::Missing("the rows' ArrowSchema or ArrowArray");
    TRY(const firn::TableId table, firn::TableOf(name_space, name));
    TRY(const firn::EventKind kind, firn::KindOf(operation));
    return tables.AddRows(table, kind, schema, rows);
  });
}

int firn_truncate(firn_destination* destination, const char* name_space, const char* name) {
  return firn::On(destination, [&](firn::Destination& tables) -> firn::Status {
    TRY(const firn::TableId table, firn::TableOf(name_space, name));
    return tables.AddTruncate(table);
  });
}

int firn_commit(firn_destination* destination, uint64_t position) {
  return firn::On(destination, [&](firn::Destination& tables) { return tables.Commit(position); });
}

int firn_position(firn_destination* destination, const char* name_space, const char* name, uint64_t* position,
                  int* has_position) {
  return firn::On(destination, [&](firn::Destination& tables) -> firn::Status {
    if (position == nullptr || has_position == nullptr) return firn::Missing("the place for the position");
    TRY(const firn::TableId table, firn::TableOf(name_space, name));
    TRY(const auto found, tables.Position(table));
    *has_position = found ? 1 : 0;
    *position = found.value_or(0);
    return {};
  });
}
