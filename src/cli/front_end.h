#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/stack/verity_volume.h>

namespace intact::cli {

/// How an `open` command shows what it opens: as a file, over NBD, or as a copy.
class FrontEnd {
 public:
  void add_options(CLI::App* command);

  /// Opens what `prepare` describes and serves it, to its end or, with --daemon, until it is ready.
  /// The exit status; 3 also when damage has stopped the server.
  Result<int> run(const std::function<Result<stack::VerityVolume>()>& prepare) const;

 private:
  struct Log;
  Result<void> check() const;
  Result<void> serve(const stack::VerityVolume& volume, const Log& log) const;
  Result<void> serve_file(const stack::VerityVolume& volume, const Log& log) const;
  Result<void> serve_nbd(const stack::VerityVolume& volume, const Log& log) const;
  Result<void> copy(const stack::VerityVolume& volume) const;

  std::string fuse_;
  std::string nbd_;
  std::string to_;
  std::string log_;
  std::string tls_certificates_;
  std::string tls_psk_;
  bool allow_other_ = false;
  bool daemon_ = false;
};

}  // namespace intact::cli
