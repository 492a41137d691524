#pragma once

#include <optional>
#include <string>

#include "tracer.h"

namespace intact::crash {

/// What a system call is to us; several calls of the kernel are the same to us.
enum class CallKind {
  none,  ///< concerns no files
  open,
  read,
  list,
  stat,
  write,
  pwrite,
  resize,
  make_directory,
  link,
  remove,
  rename,
  sync,
  sync_all,
  change_mode,
  other_change,  ///< changes files in a way that we do not know how to repeat
};

/// A call that concerns files, with its arguments in one shape.
struct FileCall {
  CallKind kind = CallKind::none;
  std::string path;     ///< absolute; of the descriptor where it has one
  std::string to_path;  ///< of rename and link
  int descriptor = -1;
  int open_flags = 0;
  mode_t mode = 0;
  std::uint64_t buffer = 0;  ///< address of what is written
  std::uint64_t offset = 0;  ///< of pwrite; size of resize
};

/// Reads the arguments of a thread that stands still.
Result<FileCall> read_file_call(const SystemCall& call);

/// The part of an absolute path below `root`, "" for the root itself; nothing if it is elsewhere.
std::optional<std::string> path_below(const std::string& path, const std::string& root);

}  // namespace intact::crash
