#pragma once

#include <memory>

#include <CLI/CLI.hpp>

#include <intact/image/work.h>

namespace intact::cli {

/// `--max-entries N` and its like, as every command that reads layers has them. Lives as long as
/// the command line is parsed and run; copies share what was given.
class LimitOptions {
 public:
  explicit LimitOptions(CLI::App* command);

  image::UnpackLimits limits() const;

 private:
  struct Values;
  std::shared_ptr<Values> values_;
};

}  // namespace intact::cli
