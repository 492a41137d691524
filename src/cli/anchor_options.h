#pragma once

#include <memory>

#include <CLI/CLI.hpp>

#include <intact/sign/trust.h>

namespace intact::cli {

/// `--pub FILE`, `--ca FILE`, `--policy FILE`, `--signature-policy FILE`, `--identity PATTERN`,
/// `--require-attestation TYPE`, `--max-age AGE` and `--insecure-unsigned`, the same in every
/// command that verifies an image. Must live until the command has run; copies share the values.
class AnchorOptions {
 public:
  explicit AnchorOptions(CLI::App* command);

  /// Warns on stderr if signatures are not required.
  sign::Anchors anchors() const;

 private:
  struct Values;
  std::shared_ptr<Values> values_;
};

}  // namespace intact::cli
