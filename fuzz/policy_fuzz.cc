// Policies, patterns and identities: refused, or the same when written and read again.
#include <intact/sign/identity.h>
#include <intact/sign/policy.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  if (const auto policy = sign::Policy::parse(bytes)) {
    const std::string text = policy->to_text();
    const auto again = sign::Policy::parse(as_bytes(text));
    fuzz::require(again.has_value() && again->to_text() == text);
    for (const sign::Rule& rule : policy->rules())
      fuzz::require(!rule.identity_pattern ||
                    sign::check_identity_pattern(*rule.identity_pattern).has_value());
  }
  // Otherwise the first line is a pattern and the rest an identity.
  const std::string_view text = as_text(bytes);
  const std::string_view pattern = text.substr(0, text.find('\n'));
  const std::string_view identity = text.substr(std::min(pattern.size() + 1, text.size()));
  const bool good = sign::check_identity_pattern(pattern).has_value() &&
                    sign::parse_identity(identity).has_value();
  fuzz::require(good || !sign::matches_pattern(pattern, identity));
  (void)sign::identity_allows_name(identity, pattern, Digest());
  return 0;
}
