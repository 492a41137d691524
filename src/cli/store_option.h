#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::cli {

/// `--store DIR`, the same in every command that uses the store:
///
///     auto store = std::make_shared<StoreOption>(command);
///     program.on_chosen(command, [=]() -> Result<int> { auto opened = TRY(store->open()); ... });
///
/// Must live until the command has run.
class StoreOption {
 public:
  explicit StoreOption(CLI::App* command);

  /// Opens the store. not_found says where it was looked for.
  Result<std::shared_ptr<store::Store>> open() const;
  /// Makes the store if there is none, for pull.
  Result<std::shared_ptr<store::Store>> open_or_create(store::Access access) const;
  std::string path() const;  ///< as given, or the default

 private:
  std::shared_ptr<std::string> dir_;
};

}  // namespace intact::cli
