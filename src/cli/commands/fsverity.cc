#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/console/output.h>
#include <intact/fsverity/measure.h>
#include <intact/fsverity/tree.h>
#include <intact/json/json.h>

#include "../commands.h"
#include "command.h"

namespace intact::cli {
namespace {

struct DigestOptions {
  std::vector<std::string> files;
  std::string algorithm = "sha256";
  std::string block_size = "4096";
  std::string salt;
  std::string out_merkle_tree;
  std::string out_descriptor;
  bool compact = false;
  bool for_builtin_sig = false;
  bool json = false;
};

/// Replaces what is at `path`, as fsverity does. Nothing if the option was not given.
Result<std::optional<OutputFile>> create_output(const std::string& path) {
  if (path.empty()) return std::optional<OutputFile>();
  return std::optional<OutputFile>(TRY(OutputFile::create(path, OutputFile::Existing::replace)));
}

void print_digest(const Digest& digest, const std::string& file, const DigestOptions& options) {
  std::string line;
  if (options.for_builtin_sig)
    line = to_hex(fsverity::format_for_builtin_signature(digest));
  else
    line = options.compact ? digest.hex() : digest.to_string();
  if (!options.compact) line += " " + file;
  print("{}\n", line);
}

Result<int> digest(const DigestOptions& options) {
  const fsverity::Params params =
      TRY(fsverity::parse_params(options.algorithm, options.block_size, options.salt));
  auto out_tree = TRY(create_output(options.out_merkle_tree));
  auto out_descriptor = TRY(create_output(options.out_descriptor));
  Json files = Json::array();
  for (const std::string& file : options.files) {
    const UniqueFd fd = TRY(open_file(file, O_RDONLY));
    const auto tree =
        TRY(fsverity::build_tree(fd.get(), params, out_tree.has_value(), 0).context(file));
    // With several files the trees follow each other, as fsverity writes them.
    if (out_tree) TRY(out_tree->write(tree.blocks));
    if (out_descriptor) TRY(out_descriptor->write(bytes_of(tree.descriptor)));
    if (options.json)
      files.push_back({{"file", file}, {"digest", tree.digest.to_string()}});
    else
      print_digest(tree.digest, file, options);
  }
  if (out_tree) TRY(out_tree->publish());
  if (out_descriptor) TRY(out_descriptor->publish());
  if (options.json) print_json(Json{{"files", files}});
  return 0;
}

}  // namespace

void add_fsverity_commands(Program& program) {
  CLI::App* group =
      program.add(program.app(), "fsverity", "fs-verity digests, as the kernel computes them");
  group->require_subcommand(1);
  CLI::App* command = program.add(*group, "digest", "Compute the fs-verity digest of each file");
  const auto options = std::make_shared<DigestOptions>();
  command->add_option("FILE", options->files, "Files to digest")
      ->required()
      ->always_capture_default(false)
      ->default_str("");
  command->add_option("--hash-alg", options->algorithm, "Hash algorithm")
      ->type_name("sha256|sha512");
  command
      ->add_option("--block-size", options->block_size, "Size of the hashed blocks, a power of two")
      ->type_name("BYTES");
  allow_empty(
      command
          ->add_option("--salt", options->salt,
                       "Salt of up to 32 bytes, in hexadecimal, that is hashed before every block")
          ->type_name("HEX"));
  command
      ->add_option("--out-merkle-tree", options->out_merkle_tree,
                   "Write the Merkle tree to this file, as the kernel lays it out")
      ->type_name("FILE");
  command
      ->add_option("--out-descriptor", options->out_descriptor,
                   "Write the fs-verity descriptor to this file")
      ->type_name("FILE");
  command->add_flag("--compact", options->compact, "Print bare digests without file names");
  command->add_flag("--for-builtin-sig", options->for_builtin_sig,
                    "Print what the kernel's built-in signatures sign, in hexadecimal");
  command->add_flag("--json", options->json, "Print the digests as JSON");
  program.on_chosen(command, [options] { return digest(*options); });
}

}  // namespace intact::cli
