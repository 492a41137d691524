#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/image/chain.h>
#include <intact/sign/trust.h>

namespace intact::report {

/// "2026-01-31T12:00:00Z", from seconds since 1970; "?" for what is not such a time.
std::string format_time(std::int64_t seconds);
/// "210.3 MB", in powers of 1000.
std::string format_size(std::uint64_t bytes);
/// "'a', 'b' and 7 other images", as visible text.
std::string names_text(const std::vector<std::string>& names);
/// Why an image is trusted: "signed by KEY".
std::string basis_text(const std::optional<sign::Verdict>& signer, sign::Basis basis);
/// That and who sealed it: "signed by KEY, sealed by its publisher".
std::string vouching_text(const std::optional<sign::Verdict>& signer, sign::Basis basis,
                          image::SealKind seal);
/// ["WORD","WORD"], as visible text: a quotation mark within a word has a backslash.
std::string quoted_list(const std::vector<std::string>& words);

}  // namespace intact::report
