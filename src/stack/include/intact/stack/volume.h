#pragma once

#include <memory>
#include <string>
#include <variant>

#include <intact/base/bytes.h>
#include <intact/block/file_target.h>
#include <intact/integrity/params.h>
#include <intact/verity/volume.h>

namespace intact::stack {

/// A file or block device that a stack stands on. One that is used in several places is the same
/// object in all of them. It says whether the stack may write.
using File = std::shared_ptr<block::FileTarget>;

/// A file as it is.
struct PlainVolume {
  File file;
};

/// A dm-verity volume and how it is to be read. Read-only.
struct VerityVolume {
  verity::Layout layout;
  Bytes root;  ///< the trusted root hash
  File data;
  File hash;
  File fec = {};  ///< if the layout has FEC
  verity::OnCorruption on_corruption = verity::OnCorruption::error;
  bool ignore_zero_blocks = false;
  bool check_at_most_once = false;
};

/// A dm-integrity device. Written to if its files may be; else what its journal holds is read from
/// there and stays where it is.
struct IntegrityVolume {
  integrity::Params params;  ///< as it is to be opened, keys included
  File data;
  File meta = {};  ///< superblock, journal and tags, if they lie apart
};

/// All that is needed to open a volume, in this process or, with its files, in another one.
struct Volume {
  std::string name;  ///< what the log calls it
  std::variant<PlainVolume, VerityVolume, IntegrityVolume> layer;
};

}  // namespace intact::stack
