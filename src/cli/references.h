#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>

namespace intact::cli {

/// The forms of an image that can be read and written outside of the store: as help shows them, and
/// as a message does.
inline constexpr const char* kImageForms =
    "docker://HOST/REPO[:TAG]|oci:DIR[:TAG]|oci-archive:FILE[:TAG]";
inline constexpr const char* kImageFormsText =
    "docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]";

/// A SOURCE or DEST: invalid_argument, with the `forms` to write, if it begins with no transport.
Result<oci::Reference> require_reference(const std::string& text, const char* forms);

/// `--platform OS/ARCH[/VARIANT]`, the same in every command that may meet a multi-platform image.
/// Must live until the command has run.
class PlatformOption {
 public:
  void add_to(CLI::App* command);
  /// Nothing if it was not given.
  Result<std::optional<oci::Platform>> platform() const;

 private:
  std::string text_;
};

/// Checks that an archive may be written to stdout: not to a terminal, and not together with a JSON
/// result, which belongs there too.
Result<void> check_archive_on_stdout(bool as_json);

}  // namespace intact::cli
