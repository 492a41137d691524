#pragma once

#include <string>

#include <intact/report/view.h>

namespace intact::report {

// The parts of the page; html_page.cc puts them together.
std::string chain_section(const View& view);
std::string damage_section(const View& view);
std::string map_section(const View& view);
std::string tree_section(const View& view);

/// "8.0 MB", in powers of 1000.
std::string size_text(std::uint64_t bytes);
/// "1,234"
std::string number_text(std::uint64_t number);

}  // namespace intact::report
