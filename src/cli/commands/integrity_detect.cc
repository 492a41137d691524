#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/integrity/detect.h>
#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Detection;

struct Options : IntegrityOptions {
  bool json = false;
};

void print_json(const Detection& found) {
  Json json = {{"ok", found.hash.has_value()},
               {"sampled", found.sampled},
               {"blank", found.blank},
               {"discarded", found.discarded},
               {"matching", found.matching},
               {"journal", integrity::name_of(found.journal)},
               {"journal_mac", found.journal_mac}};
  if (found.hash) {
    json["integrity"] = *found.hash;
    json["digest_size"] = found.digest_size;
    json["tag_use"] = integrity::name_of(found.tag_use);
    json["keyed"] = found.keyed;
    json["salted"] = found.salted;
  }
  print("{}\n", to_text(json));
}

void print_text(const Options& options, const Detection& found, bool with_key) {
  print("{}: {} examined, {} never written, {} discarded\n", options.device,
        counted(found.sampled, "block"), found.blank, found.discarded);
  if (found.hash) {
    print("integrity: {}\n", *found.hash);
    print("digest:    {} bytes, {}\n", found.digest_size, integrity::explanation_of(found.tag_use));
    print("key:       {}\n", found.keyed ? "the given one" : "none");
    print("salt:      {}\n", found.salted ? "from the superblock" : "none");
    print("matching:  {} of {}\n", found.matching, counted(found.tagged(), "block"));
  } else {
    print("{}\n", integrity::why_no_hash(found, with_key));
  }
  print("journal:   {}; {}\n",
        found.journal_mac ? "with a MAC (--journal-integrity)" : "without a MAC",
        integrity::explanation_of(found.journal));
}

Result<int> detect(const Options& options) {
  const auto files = TRY(options.open_files(block::Access::read_only));
  // Only the key is used, so the name does not matter.
  const auto algorithm = TRY(options.integrity.load("--integrity"));
  const auto key = algorithm ? algorithm->key : nullptr;
  const auto found = TRY(
      integrity::detect({.start = options.start}, files.devices(), key).context(options.device));
  if (options.json)
    print_json(found);
  else
    print_text(options, found, key != nullptr);
  return found.hash ? 0 : 7;
}

}  // namespace

void add_integrity_detect_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "detect", "Find the hash that makes the tags by trying all known ones",
      detect);
  options->add_device(command);
  options->add_key(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
