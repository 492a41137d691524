#pragma once

#include <memory>

#include <CLI/CLI.hpp>

#include <intact/sign/trust.h>

namespace intact::cli {

/// `--pub FILE`, `--policy FILE` and `--insecure-unsigned`, as every command that checks an image
/// has them. Lives as long as the command line is parsed and run; copies share what was given.
class AnchorOptions {
 public:
  explicit AnchorOptions(CLI::App* command);

  /// Warns on stderr when nothing is to be checked.
  sign::Anchors anchors() const;

 private:
  struct Values;
  std::shared_ptr<Values> values_;
};

}  // namespace intact::cli
