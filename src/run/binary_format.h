#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>

#include "program.h"

namespace intact::run {

/// What the kernel makes of a file that is to be executed, judged by its first bytes (kProbeSize of
/// them, or all).
struct BinaryForm {
  enum class Kind {
    native,   ///< a program of this machine
    script,   ///< "#!": `interpreter` is a path as the kernel takes it
    foreign,  ///< registered with the kernel (binfmt_misc), which runs an interpreter of its own
    unusable  ///< nothing that the kernel executes
  };
  Kind kind = Kind::unusable;
  std::string
      interpreter;  ///< of a script, or of a dynamically linked native program; may be empty
};

inline constexpr std::size_t kProbeSize = 4096;

/// `machine` is that of uname(2); on machines that are not known here every ELF file is native.
/// `name` is the file's, for formats that go by an extension.
BinaryForm identify_binary(ByteSpan start, std::string_view name, std::string_view machine,
                           const std::vector<RegisteredFormat>& formats);

}  // namespace intact::run
