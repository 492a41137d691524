#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/stack/volume.h>
#include <intact/verity/volume.h>

#include "command.h"
#include "verity_files.h"

namespace intact::cli {

/// A command of the group `verity`. -h is the hash function there, as it is for veritysetup.
CLI::App* add_verity_command(Program& program, CLI::App* group, const char* name,
                             const char* description);

/// The options of veritysetup that describe a volume and where its parts are.
struct VerityOptions {
  std::string data;
  std::string hash_device;
  std::string root_hash;
  std::string root_hash_file;
  // None: that of the superblock, or the default.
  std::optional<std::string> hash;
  std::optional<std::uint32_t> hash_type;
  std::optional<std::uint32_t> data_block_size;  ///< bytes
  std::optional<std::uint32_t> hash_block_size;  ///< bytes
  std::optional<std::uint64_t> data_blocks;      ///< 0: all of the data device
  std::uint64_t hash_offset = 0;
  std::optional<std::string> salt;  ///< empty or "-": none
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

  /// From the options alone, with `salt` as the default of --salt. invalid_argument.
  Result<verity::Params> params(Bytes salt) const;
  Result<verity::Layout> layout(verity::Params params) const;
  /// From the superblock, or from the options if there is none. tampered: the superblock differs
  /// from an option that was given. An attacker may have written it, so what the user says counts.
  Result<verity::Layout> stored_layout(const block::BlockTarget& hash,
                                       const block::BlockTarget& data) const;
  /// The root hash, from the argument or the file. untrusted: not signed as requested.
  Result<Bytes> root() const;
  /// The same where the kernel checks the signature, unless certificates are given.
  Result<Bytes> root_for_kernel() const;
  /// The device `below` that the data are on, which was opened on `file`, and the other files of a
  /// volume.
  struct Place {
    std::shared_ptr<block::BlockTarget> below;
    stack::File file;
    DeviceFiles& files;  ///< knows `file`
  };
  /// Fills in the layout of a volume and the files of its parts. A part whose path leads to the
  /// file of the data is on `below`.
  Result<void> find_parts(stack::VerityLayer& layer, const Place& place) const;
  /// The same with `data` as the device below.
  Result<stack::Volume> volume(stack::VerityLayer layer) const;

 private:
  Result<Bytes> stated_root() const;
  Result<void> check_superblock(const verity::Params& params) const;
};

}  // namespace intact::cli
