#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/block/file_device.h>
#include <intact/crypto/pkcs7.h>
#include <intact/verity/volume.h>

// What administrators do with a volume and the files that it consists of.
namespace intact::verity {

// --- what a user says ---------------------------------------------------------------------------

/// What a user states about a volume, as in veritysetup's options. It counts more than the
/// superblock, which no hash covers and which an attacker may have written.
struct StatedParams {
  std::optional<std::string> hash = {};
  std::optional<std::uint32_t> hash_type = {};
  std::optional<std::uint32_t> data_block_size = {};  ///< bytes
  std::optional<std::uint32_t> hash_block_size = {};  ///< bytes
  std::optional<std::uint64_t> data_blocks = {};      ///< 0: not stated
  std::optional<std::string> salt = {};               ///< in hexadecimal; empty or "-": none

  /// The params of a volume without a superblock, or of a new one; the rest are defaults.
  /// invalid_argument: a number is out of range, or the salt is not hexadecimal.
  Result<Params> params(Bytes default_salt) const;
  /// Whether a superblock agrees: tampered if not. `hash_device`: its name, for the message.
  Result<void> check(const Params& found, std::string_view hash_device) const;
};

/// The bytes of a root hash in hexadecimal; nothing if the text is anything else.
std::optional<Bytes> parse_root_hash(std::string_view text);

/// Whether the owner of one of the certificates has signed the root hash as the kernel requires:
/// its lower-case hexadecimal text without a newline. Errors of crypto::verify_pkcs7().
Result<void> check_root_signature(ByteSpan root, ByteSpan signature,
                                  const std::vector<crypto::Certificate>& certificates);
/// Such a signature, PKCS#7 in DER.
Result<Bytes> sign_root(ByteSpan root, const crypto::SigningKey& key,
                        const crypto::Certificate& certificate);

/// How many blocks a new volume protects: all of the data, or, if the tree is in the same file,
/// what is before it. invalid_argument, with what to do about it, where the data do not end with a
/// block, or nothing precedes the tree. `tree_offset`: of the superblock or tree in bytes, if it is
/// in the file with the data.
Result<std::uint64_t> blocks_to_protect(const ByteSource& data, std::uint32_t block_size,
                                        std::optional<std::uint64_t> tree_offset);

/// Where everything is, a line of text for each part, as debugging output shows it; none for a
/// layout that is not valid.
std::vector<std::string> describe_layout(const Layout& layout);

// --- files --------------------------------------------------------------------------------------

/// The files of a volume. All of them may be the same one.
struct VolumeFiles {
  std::string data;
  std::string hash;
  std::string fec = {};        ///< empty: no FEC
  std::string root_hash = {};  ///< of a new volume: gets the root hash in hexadecimal; empty: none
  std::string signature = {};  ///< of a new volume: gets its signature; empty: none
};

/// Opens the files of a volume that exists, a file with several names once. `copy`, if it is not
/// null, takes the place of the file with the data, by whatever names that is called here. busy,
/// for writing: two of them are the same storage under different names (block::check_apart()).
Result<Devices> open_files(const VolumeFiles& files, block::Access access,
                           const std::shared_ptr<block::FileDevice>& copy = {});

// --- new volumes --------------------------------------------------------------------------------

struct NewVolume {
  Bytes root;
  Devices devices;
};

/// Makes a volume over the data in the file that `data` is open for; `data` is only read, unless it
/// is a file of the volume too; its name is for messages. Files for hash tree and parity are made,
/// or extended if they exist; the root hash and its signature replace files. `sign` makes the
/// signature.
///
/// Nothing is opened again by its name. New files get their names, and the superblock is written,
/// when everything is complete; after an error new files are gone and others have their old length.
/// Where a crash or an error ends it, no superblock vouches for an incomplete tree.
///
/// Errors: invalid_argument for files that exclude each other, otherwise those of format().
Result<NewVolume> create_volume(const VolumeFiles& files, UniqueFd data, const Layout& layout,
                                const Uuid& uuid,
                                const std::function<Result<Bytes>(ByteSpan root)>& sign = {},
                                const Progress& progress = {});

}  // namespace intact::verity
