// A file in the format of integritytab(5): refused, or a line whose numbers and mode make sense.
// Input: the name that is looked for, a newline, and the file.
#include <algorithm>

#include <intact/integrity/manage.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const std::string_view text = as_text(fuzz::input(data, size));
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view name = text.substr(0, end);
  const std::string_view tab = text.substr(std::min(end + 1, text.size()));
  const auto entry = integrity::parse_tab(tab, name);
  if (!entry) {
    fuzz::require(entry.error().kind() == ErrorKind::not_found ||
                  entry.error().kind() == ErrorKind::malformed ||
                  entry.error().kind() == ErrorKind::unsupported);
    return 0;
  }
  fuzz::require(!name.empty() && tab.find(name) != std::string_view::npos);
  fuzz::require(!entry->device.empty());
  fuzz::require(entry->key_file.empty() || !entry->algorithm.empty() ||
                tab.find("integrity-algorithm") != std::string_view::npos);
  fuzz::require(entry->mode != integrity::Mode::recovery &&
                entry->mode != integrity::Mode::in_line);
  fuzz::require(entry->commit_time != 0u && entry->journal_watermark != 0u);
  // What comes after the line does not matter.
  const auto again = integrity::parse_tab(std::string(tab) + "\n" + std::string(name) + " x", name);
  fuzz::require(again.has_value() && *again == *entry);
  (void)integrity::kernel_name(entry->algorithm);
  return 0;
}
