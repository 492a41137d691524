// What people type: references, digests, platforms, names in a store. Refused, or the same when
// written and read again.
#include <intact/base/digest.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>
#include <intact/store/name.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const std::string_view text = as_text(fuzz::input(data, size));
  const auto reference = oci::parse_reference(text);
  if (reference && *reference) {
    fuzz::require(oci::has_transport(text));
    const std::string written = oci::to_string(**reference);
    const auto again = oci::parse_reference(written);
    fuzz::require(again.has_value() && again->has_value() && oci::to_string(**again) == written);
  }
  if (const auto digest = Digest::parse(text)) fuzz::require(digest->to_string() == text);
  (void)Digest::parse_hex(text);
  (void)oci::parse_platform(text);
  if (store::check_name(text)) {
    const std::string file = store::encode_name(text);
    fuzz::require(file.find('/') == std::string::npos && !file.starts_with('.'));
    fuzz::require(store::decode_name(file).value() == text);
  }
  if (const auto name = store::decode_name(text)) fuzz::require(store::encode_name(*name) == text);
  return 0;
}
