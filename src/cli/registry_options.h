#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/registry/registry.h>

namespace intact::cli {

/// `--authfile FILE`, `--no-creds`, `--cert-dir DIR` and `--tls-verify`, the same in every command
/// that uses a registry; with a prefix ("src-") where a command uses two. Must live until the
/// command has run; copies share the values.
class RegistryOptions {
 public:
  explicit RegistryOptions(CLI::App* command, const std::string& prefix = {});

  /// Warnings of registries go to stderr.
  registry::Options options() const;

 private:
  struct Values;
  std::shared_ptr<Values> values_;
};

}  // namespace intact::cli
