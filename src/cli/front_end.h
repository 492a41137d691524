#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/stack/stack.h>

namespace intact::cli {

/// What an `open` command can do with what it opens, beside serving and copying it.
struct FrontEndAbilities {
  bool writable = false;  ///< it may be written to, unless --readonly
  bool dm = false;        ///< the kernel's device mapper knows the format
};

/// How an `open` command shows what it opens: as a file, over NBD, as a copy, or as a device of the
/// kernel's.
class FrontEnd {
 public:
  void add_options(CLI::App* command, FrontEndAbilities abilities = {});
  /// The name of the kernel's device as the peers' `open` has it: without an option.
  void set_dm(std::string name) { dm_ = std::move(name); }
  /// Whether an option says how to open it.
  bool chosen() const { return !(fuse_.empty() && nbd_.empty() && to_.empty() && dm_.empty()); }

  /// How files are to be opened.
  block::Access access() const;

  /// Describes the volume with files that are open for this access.
  using Prepare = std::function<Result<stack::Volume>(block::Access)>;
  /// Has the kernel make the device `name`.
  using Map = std::function<Result<void>(const std::string& name)>;
  /// Opens what `prepare` describes and serves it, to its end or, with --daemon, until it is ready;
  /// then closes it. With --dm calls `map`. The exit status; 3 also when damage has stopped the
  /// server.
  Result<int> run(const Prepare& prepare, const Map& map = {}) const;

 private:
  struct Log;
  Result<void> check() const;
  Result<void> serve(const stack::Volume& volume, const Log& log) const;
  Result<void> serve_file(const stack::Volume& volume, const Log& log) const;
  Result<void> serve_nbd(const stack::Volume& volume, const Log& log) const;
  Result<void> copy(const stack::Volume& volume) const;

  std::string fuse_;
  std::string nbd_;
  std::string to_;
  std::string dm_;
  std::string log_;
  std::string tls_certificates_;
  std::string tls_psk_;
  FrontEndAbilities abilities_;
  bool read_only_ = false;
  bool allow_other_ = false;
  bool daemon_ = false;
};

}  // namespace intact::cli
