#include <fmt/format.h>

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

const char* word_for(Detection::TagUse use) {
  switch (use) {
    case Detection::TagUse::whole:
      return "whole";
    case Detection::TagUse::cut:
      return "cut";
    case Detection::TagUse::padded:
      return "padded";
  }
  return "";
}

const char* word_for(Detection::Journal journal) {
  switch (journal) {
    case Detection::Journal::plain:
      return "plain";
    case Detection::Journal::encrypted:
      return "encrypted";
    case Detection::Journal::unknown:
      return "unknown";
  }
  return "";
}

const char* text_for(Detection::Journal journal) {
  switch (journal) {
    case Detection::Journal::plain:
      return "not encrypted";
    case Detection::Journal::encrypted:
      return "encrypted (--journal-crypt) or destroyed: it has no commit ids";
    case Detection::Journal::unknown:
      return "encryption unknown: no journal, or a bitmap in its place";
  }
  return "";
}

void print_json(const Detection& found) {
  Json json = {{"ok", found.hash.has_value()},
               {"sampled", found.sampled},
               {"blank", found.blank},
               {"discarded", found.discarded},
               {"matching", found.matching},
               {"journal", word_for(found.journal)},
               {"journal_mac", found.journal_mac}};
  if (found.hash) {
    json["integrity"] = *found.hash;
    json["digest_size"] = found.digest_size;
    json["tag_use"] = word_for(found.tag_use);
    json["keyed"] = found.keyed;
    json["salted"] = found.salted;
  }
  print("{}\n", to_text(json));
}

void print_journal(const Detection& found) {
  print("journal:   {}; {}\n",
        found.journal_mac ? "with a MAC (--journal-integrity)" : "without a MAC",
        text_for(found.journal));
}

void print_text(const Options& options, const Detection& found, bool with_key) {
  print("{}: {} examined, {} never written, {} discarded\n", options.device,
        counted(found.sampled, "block"), found.blank, found.discarded);
  if (found.hash) {
    print("integrity: {}\n", *found.hash);
    print("digest:    {} bytes, {}\n", found.digest_size,
          found.tag_use == Detection::TagUse::whole ? "stored whole"
          : found.tag_use == Detection::TagUse::cut ? "truncated to the size of the tag"
                                                    : "padded with zeros");
    print("key:       {}\n", found.keyed ? "the given one" : "none");
    print("salt:      {}\n", found.salted ? "from the superblock" : "none");
    print("matching:  {} of {}\n", found.matching, counted(found.tagged(), "block"));
  } else if (found.tagged() == 0) {
    print("The examined tags are blank, so the hash cannot be detected\n");
  } else if (with_key) {
    print(
        "No known hash makes these tags, with or without this key: they have another key, or come "
        "from the layer above (LUKS2)\n");
  } else {
    print(
        "No known hash makes these tags without a key: they have one (try it with "
        "--integrity-key-file), or come from the layer above (LUKS2)\n");
  }
  print_journal(found);
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
