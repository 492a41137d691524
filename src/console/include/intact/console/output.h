#pragma once

#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json_fwd.hpp>

#include <intact/base/error.h>

namespace intact::console {

/// Replaces `stdout` and `stderr` by streams on descriptors 1 and 2 through which nothing can steer
/// a terminal and which never fail. To be called first thing, once.
///
/// Whatever is printed to them, by whatever path, characters that act instead of showing (controls
/// other than newline and tab, C1 controls, marks that turn the direction of text) come out as \xNN
/// or \u{NNNN}, in JSON as \uNNNN. Names from an image still go through visible() where they are
/// put into a line, since a newline in a name must not begin a line.
///
/// A full or closed descriptor takes everything and is noticed by flush_output(): a verdict is
/// never lost to an output that nobody can read. Descriptors that the program was started without
/// are opened, so that no file gets their number and is written to by mistake.
void guard_output();

/// Prints to stdout, as print() does but without a format.
void print_text(std::string_view text);

/// Prints to stderr as fmt::print() does.
template <typename... Args>
void tell(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print(stderr, format, std::forward<Args>(args)...);
}

/// Prints text that has our own escape sequences, such as colours, to stdout or stderr, past the
/// guard. The caller has made every other part of it visible().
void print_styled(std::string_view text);
void tell_styled(std::string_view text);

/// Prints a document and a newline to stdout, all of it in ASCII.
void print_json(const nlohmann::ordered_json& json);

/// The same result in one of two forms: for programs with print_json(), for people with
/// print_text().
void print_result(bool as_json, const nlohmann::ordered_json& json, std::string_view text);

/// Flushes stdout. False, with a message, if anything that was printed could not be written.
bool flush_output();

/// Whether the command was given --json.
bool takes_json(const CLI::App& command);

/// Prints why a command ends with `status`: the message on stderr and, `as_json`, an object on
/// stdout, whose form intact(1) documents under "JSON".
void report_error(std::string_view message, ErrorKind kind, int status, bool as_json);

}  // namespace intact::console
