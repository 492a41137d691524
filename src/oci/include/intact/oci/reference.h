#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <intact/base/digest.h>
#include <intact/base/result.h>

namespace intact::oci {

/// Where an image is, written as skopeo writes it: a transport, a place and maybe a name there.
struct Reference {
  enum class Transport {
    oci,             ///< oci:DIR[:TAG|@DIGEST], an image layout in a directory
    oci_archive,     ///< oci-archive:FILE[:TAG|@DIGEST], the same in a tar
    docker_archive,  ///< docker-archive:FILE[:NAME[:TAG]], what `docker save` writes
    docker,          ///< docker://HOST/REPO[:TAG|@DIGEST], a registry
    rootfs,          ///< rootfs:DIR, a plain directory
    tar,             ///< tar:FILE, a plain tar of a root directory
  };

  Transport transport;
  std::string path;  ///< DIR, FILE or HOST/REPO
  std::string tag;   ///< may be empty
  std::optional<Digest>
      digest;  ///< of a manifest or index; then `tag` is empty except in docker://
};

/// "oci", "docker-archive", ...: the word in front of the colon.
std::string_view to_string(Reference::Transport transport);
/// The reference as it would be typed.
std::string to_string(const Reference& reference);

/// Reads a reference. Nothing when `text` begins with no known transport: then it is a NAME in the
/// store. invalid_argument when it begins with one and what follows makes no sense. In oci: and
/// the archives the first colon ends the path, as in skopeo: a path cannot contain one.
Result<std::optional<Reference>> parse_reference(std::string_view text);

/// Whether `text` begins with a known transport; names in a store must not.
bool has_transport(std::string_view text);

}  // namespace intact::oci
