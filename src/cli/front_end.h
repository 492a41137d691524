#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/stack/stack.h>

namespace intact::cli {

/// What an `open` command can do besides serving and copying.
struct FrontEndAbilities {
  bool writable = false;  ///< the volume can be written to, unless --readonly
  bool dm = false;        ///< the kernel's device mapper has the format
};

/// How an `open` command presents a volume: as a file, over NBD, as a copy, or as a device-mapper
/// device.
class FrontEnd {
 public:
  void add_options(CLI::App* command, FrontEndAbilities abilities = {});
  /// The name of the device-mapper device, which the peers' `open` takes without an option.
  void set_dm(std::string name) { dm_ = std::move(name); }
  /// Whether one of the options was given.
  bool chosen() const { return !(fuse_.empty() && nbd_.empty() && to_.empty() && dm_.empty()); }

  /// How to open files.
  block::Access access() const;

  /// Describes the stack, with files that are open for this access.
  using Prepare = std::function<Result<stack::Plan>(block::Access)>;
  /// Makes the kernel create the device `name`.
  using Map = std::function<Result<void>(const std::string& name)>;
  /// Opens what `prepare` describes and serves it until it is told to end, then closes it; with
  /// --daemon returns once it is ready. With --dm calls `map`. Returns the exit status, which is 3
  /// also if damage stopped the server.
  Result<int> run(const Prepare& prepare, const Map& map = {}) const;

 private:
  struct Log;
  Result<void> check() const;
  Result<void> serve(stack::Plan& plan, const Log& log) const;
  Result<void> serve_file(stack::Plan& plan, const Log& log) const;
  Result<void> serve_nbd(stack::Plan& plan, const Log& log) const;
  Result<void> copy(stack::Plan& plan) const;

  std::string fuse_;
  std::string nbd_;
  std::string to_;
  std::string dm_;
  std::string log_;
  std::string pid_file_;
  std::string tls_certificates_;
  std::string tls_psk_;
  FrontEndAbilities abilities_;
  bool read_only_ = false;
  bool allow_other_ = false;
  bool daemon_ = false;
};

}  // namespace intact::cli
