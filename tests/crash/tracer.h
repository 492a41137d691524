#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>

namespace intact::crash {

/// A system call of one thread of the traced program.
struct SystemCall {
  pid_t thread = 0;
  std::uint64_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
};

/// What looks at each system call. Called from the thread of trace(), the program's thread stands
/// still meanwhile and others may run.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  /// Before the kernel acts. A number other than 0 is an errno with which the call fails instead.
  virtual int before(const SystemCall& call) = 0;
  /// After it: the result, or the negative errno. Follows each before() of a call that returns.
  virtual void after(const SystemCall& call, std::int64_t result) = 0;
};

/// Runs a program with all its threads and children under ptrace until it ends; children that live
/// on are let go. Its output goes to `output`. Returns the exit status, 128 + N after signal N.
/// Error kind unsupported: this machine has no ptrace that can do it.
Result<int> trace(const std::vector<std::string>& command, const std::string& output,
                  CallObserver& observer);

/// A string in the memory of a thread that stands still.
Result<std::string> read_string(pid_t thread, std::uint64_t address);
/// Bytes in the memory of a thread that stands still.
Result<std::string> read_memory(pid_t thread, std::uint64_t address, std::size_t size);

}  // namespace intact::crash
