#pragma once

#include <string>

#include <intact/report/view.h>

namespace intact::report {

/// One page that needs nothing else: no scripts, no fonts, no network, and a policy in its head
/// that says so to the browser. It shows the verdict, the chain of trust link by link, the damage,
/// a map of all blocks and the tree. Light or dark as the reader has it.
std::string to_html(const View& view);

}  // namespace intact::report
