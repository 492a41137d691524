#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/stack/plan.h>
#include <intact/verity/manage.h>

#include "command.h"

namespace intact::cli {

/// A command of the group `verity`. -h is the hash function there, as it is for veritysetup.
CLI::App* add_verity_command(Program& program, CLI::App* group, const char* name,
                             const char* description);

// Commands of the group, by file.
void add_verity_check_commands(Program& program, CLI::App* group);  ///< `verify` and `repair`
void add_verity_open_command(Program& program, CLI::App* group);
void add_verity_status_command(Program& program, CLI::App* group);

/// The options of veritysetup that describe a volume and where its parts are.
struct VerityOptions : verity::StatedParams {
  std::string data;
  std::string hash_device;
  std::string root_hash;
  std::string root_hash_file;
  std::uint64_t hash_offset = 0;
  std::string uuid;
  bool no_superblock = false;
  std::string fec_device;
  std::uint64_t fec_offset = 0;
  unsigned fec_roots = 2;
  std::string signature;                  ///< file of the PKCS#7 signature of the root hash
  std::vector<std::string> certificates;  ///< of accepted signers
  bool debug = false;

  void add_talk(CLI::App* command);  ///< --debug
  void add_devices(CLI::App* command, bool with_root_hash);
  void add_format(CLI::App* command);  ///< what a superblock holds
  void add_data_blocks(CLI::App* command);
  void add_placement(CLI::App* command);  ///< offsets, --no-superblock, FEC
  void add_fec(CLI::App* command);
  /// Signature of the root hash. `kernel`: without certificates the kernel checks it.
  void add_signature(CLI::App* command, bool kernel = false);

  /// Says what it is with --debug.
  Result<verity::Layout> layout(verity::Params params) const;
  struct Stored {
    verity::Layout layout;
    std::optional<verity::Uuid> uuid;  ///< of the superblock, if there is one
  };
  /// From the superblock, or from the options if there is none. tampered: the superblock differs
  /// from an option that was given. An attacker may have written it, so what the user says counts.
  Result<Stored> stored_layout(const block::Device& hash, const block::Device& data) const;
  /// The root hash, from the argument or the file. untrusted: not signed as requested.
  Result<Bytes> root() const;
  /// The same where the kernel checks the signature, unless certificates are given.
  Result<Bytes> root_for_kernel() const;
  /// How the volume is read.
  struct Reading {
    Bytes root;                           ///< the trusted root hash
    std::vector<std::string> flags = {};  ///< as in the kernel's table
    /// Names the kernel's key with the signature of a volume with this UUID, which may be empty.
    std::function<Result<std::string>(const std::string& uuid)> signature_key = {};
  };
  /// A plan for the volume on the file `data`.
  Result<stack::Plan> plan(Reading reading) const;

 private:
  Result<Bytes> stated_root() const;
};

/// Adds a command to the group that runs `action` with its own kind of options, and --json.
template <typename Options>
std::pair<CLI::App*, Options*> add_verity_command(Program& program, CLI::App* group,
                                                  const char* name, const char* description,
                                                  Result<int> (*action)(const Options&)) {
  CLI::App* const command = add_verity_command(program, group, name, description);
  const auto options = std::make_shared<Options>();
  options->add_talk(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
  program.on_chosen(command, [options, action] { return action(*options); });
  return {command, options.get()};
}

}  // namespace intact::cli
