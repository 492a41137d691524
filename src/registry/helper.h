#pragma once

#include <optional>
#include <string>

#include <intact/registry/credentials.h>

namespace intact::registry {

// Programs called docker-credential-NAME, which keep credentials elsewhere. They are executed
// without a shell, with nothing secret among their arguments, and ended after 60 seconds.

/// Whether a file may name such a program.
bool is_helper_name(const std::string& name);

/// What the helper has for a server; nothing if it has none. io: it failed, with what it said.
Result<std::optional<Credential>> ask_helper(const std::string& name, const std::string& server);

Result<void> tell_helper(const std::string& name, const std::string& server,
                         const Credential& credential);
Result<void> erase_from_helper(const std::string& name, const std::string& server);

}  // namespace intact::registry
