#include <arrow/filesystem/azurefs.h>

#include <exception>

#include "storage/arrow_error.h"
#include "storage/object_file_systems.h"
#include "storage/option_reader.h"

namespace firn::storage {
namespace {

using arrow::fs::AzureOptions;

arrow::Status SetCredentials(OptionReader& read, AzureOptions& azure, bool anonymous) {
  if (read.Has("account_key")) return azure.ConfigureAccountKeyCredential(read.Text("account_key"));
  if (read.Has("sas_token")) {
    const std::string token = read.Text("sas_token");
    return azure.ConfigureSASCredential(token.starts_with('?') ? token : "?" + token);
  }
  if (anonymous) return azure.ConfigureAnonymousCredential();
  if (read.Has("client_secret")) {
    return azure.ConfigureClientSecretCredential(read.Text("tenant_id"), read.Text("client_id"),
                                                 read.Text("client_secret"));
  }
  if (read.Has("client_id")) return azure.ConfigureManagedIdentityCredential(read.Text("client_id"));
  return azure.ConfigureDefaultCredential();
}

}  // namespace

Result<ObjectFileSystem> OpenAzure(const StoreLocation& where, const StoreOptions& options) {
  OptionReader read("azure", options);
  AzureOptions azure;
  azure.background_writes = false;  // A token that can't be had throws, and in the background nothing catches it.
  azure.account_name = where.account.empty() ? read.Text("account") : where.account;
  if (const std::string account = read.Text("account"); !account.empty() && account != azure.account_name) {
    return OptionReader::Refuse("storage.azure.account is {}, but {} lies in {}", account, where.root, where.account);
  }
  if (azure.account_name.empty()) {
    return OptionReader::Refuse(
        "{}: which account? write abfss://container@account.dfs.core.windows.net/path, or set storage.azure.account",
        where.root);
  }
  if (!where.domain.empty()) {
    azure.blob_storage_authority = ".blob." + where.domain;
    azure.dfs_storage_authority = ".dfs." + where.domain;
  }
  TRY(const OptionReader::Endpoint endpoint, read.AsEndpoint("endpoint", "/" + azure.account_name));
  if (!endpoint.host.empty()) {
    azure.blob_storage_authority = azure.dfs_storage_authority = endpoint.host;
    azure.blob_storage_scheme = azure.dfs_storage_scheme = endpoint.scheme;
  }
  TRY(const bool anonymous, read.Switch("anonymous", false));
  if (read.Has("account_key") + read.Has("sas_token") + anonymous + read.Has("client_id") > 1) {
    return OptionReader::Refuse("storage.azure: choose one of account_key, sas_token, client_id and anonymous");
  }
  if (read.Has("tenant_id") != read.Has("client_secret") || (read.Has("client_secret") && !read.Has("client_id"))) {
    return OptionReader::Refuse("storage.azure: tenant_id, client_id and client_secret go together; one is missing");
  }
  TRY_VOID(read.CheckAllKnown());

  ObjectFileSystem opened;
  try {
    TRY_VOID(FromArrow(SetCredentials(read, azure, anonymous), "storage.azure"));
    TRY(opened.calls, FromArrow(arrow::fs::AzureFileSystem::Make(azure), "opening {}", where.root));
  } catch (const std::exception& thrown) {
    return OptionReader::Refuse("storage.azure: the credentials can't be used: {}", thrown.what());
  }
  opened.streams = opened.calls;  // Azure's client tries each request four times, and nothing can tell it otherwise.
  return opened;
}

}  // namespace firn::storage
