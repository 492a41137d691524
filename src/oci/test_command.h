#pragma once

// Runs peers' programs in tests.

#include <cstdio>
#include <cstdlib>
#include <string>

namespace intact::oci::test {

inline bool has_command(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

/// What a shell command prints, both streams; its status goes to `status`.
inline std::string run(const std::string& command, int* status = nullptr) {
  std::string out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return "popen failed";
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  const int result = ::pclose(pipe);
  if (status) *status = result;
  return out;
}

}  // namespace intact::oci::test
