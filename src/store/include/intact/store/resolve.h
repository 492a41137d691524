#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/store/store.h>
#include <intact/store/transaction.h>

namespace intact::store {

/// Digits that a short digest needs at least, so that few names are taken for one.
inline constexpr std::size_t kMinShortDigest = 4;

/// Finds an image by what a user may call it:
///
///     NAME             its name
///     NAME@DIGEST      its name, and only while that refers to this manifest
///     DIGEST           the digest of its manifest or image, with or without "sha256:"; a short
///                      one has at least kMinShortDigest digits and must fit one image only
///
/// What is_digest_form() is never looked up as a name. Fewer digits without "sha256:" may be
/// either; they are refused if they name one image and are the digest of another. The DIGEST after
/// @ may be short as well. It holds also if a record has all of `text` for its name. Errors:
/// not_found, also if NAME refers to another manifest than DIGEST; invalid_argument if several
/// images fit; malformed if the record of the name is damaged.
Result<NamedImage> resolve_image(const Store& store, const std::string& text);

/// Every name that `text` stands for: for a digest all names of that image, sorted, otherwise the
/// one. Errors as above, so never empty.
Result<std::vector<NamedImage>> resolve_names(const Store& store, const std::string& text);

/// Whether `text` is DIGEST or NAME@DIGEST and the digest is that of this manifest.
bool has_digest_of(std::string_view text, const Digest& manifest);

/// For a new name of an image: invalid_argument if it ends in @DIGEST and `manifest` is another,
/// since resolve_image() could never find the image by it.
Result<void> check_digest_in_name(std::string_view name, const Digest& manifest);

/// Writes the record of an image that is in the store under a further name, `image.name`. The
/// caller has a lease on it. exists: the name refers to another manifest, and `replace` is not set.
/// `hooks` as in Transaction::commit(). `documents` are blobs that the record refers to and that
/// the store may lack, each with its digest.
Result<void> tag_image(Store& store, const NamedImage& image, bool replace,
                       const NamingHooks& hooks = {},
                       const std::map<Digest, Bytes>& documents = {});

}  // namespace intact::store
