#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/stack/stack.h>

namespace intact::cli {

/// How an `open` command shows what it opens: as a file, over NBD, or as a copy.
class FrontEnd {
 public:
  /// `writable`: what it opens may be written to, unless --readonly.
  void add_options(CLI::App* command, bool writable = false);

  /// Describes the volume with files that are open for this access.
  using Prepare = std::function<Result<stack::Volume>(block::Access)>;
  /// Opens what `prepare` describes and serves it, to its end or, with --daemon, until it is ready;
  /// then closes it. The exit status; 3 also when damage has stopped the server.
  Result<int> run(const Prepare& prepare) const;

 private:
  struct Log;
  Result<void> check() const;
  block::Access access() const;
  Result<void> serve(const stack::Volume& volume, const Log& log) const;
  Result<void> serve_file(const stack::Volume& volume, const Log& log) const;
  Result<void> serve_nbd(const stack::Volume& volume, const Log& log) const;
  Result<void> copy(const stack::Volume& volume) const;

  std::string fuse_;
  std::string nbd_;
  std::string to_;
  std::string log_;
  std::string tls_certificates_;
  std::string tls_psk_;
  bool writable_ = false;
  bool read_only_ = false;
  bool allow_other_ = false;
  bool daemon_ = false;
};

}  // namespace intact::cli
