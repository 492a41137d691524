#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "call_paths.h"
#include "disk.h"
#include "tracer.h"

namespace intact::crash {

/// Writes down what a traced program does to the files below one directory.
class Recorder final : public CallObserver {
 public:
  /// `root` is a path without symlinks; `before` what is there now.
  Recorder(std::string root, const Disk& before);

  int before(const SystemCall& call) override;
  void after(const SystemCall& call, std::int64_t result) override;

  const std::vector<Operation>& operations() const { return operations_; }
  /// An error if anything was met that could not be written down, or if what is there now is not
  /// what the operations lead to.
  Result<void> check() const;

 private:
  struct Place {
    InodeId directory;
    std::string name;
  };

  void record(const FileCall& call, const SystemCall& raw, std::uint64_t result);
  void record_open(const FileCall& call);
  void record_write(const FileCall& call, const SystemCall& raw, std::uint64_t size);
  void add(Operation operation);
  std::optional<std::string> below(const std::string& path) const;
  std::optional<InodeId> find(const std::string& path) const;
  std::optional<Place> place(const std::string& path) const;
  void fail(const std::string& why);

  std::string root_;
  Disk disk_;  // as the program sees it
  std::map<pid_t, FileCall> calls_;
  std::vector<Operation> operations_;
  std::optional<std::string> failure_;
};

}  // namespace intact::crash
