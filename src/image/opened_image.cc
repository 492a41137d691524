#include <intact/image/opened_image.h>
#include <intact/store/resolve.h>

#include "profile.h"
#include "stored_image.h"

namespace intact::image {

Result<VerityMode> parse_verity_mode(std::string_view text) {
  if (text == "require") return VerityMode::require;
  if (text == "on") return VerityMode::on;
  if (text == "validate") return VerityMode::validate;
  if (text == "off") return VerityMode::off;
  return Error(ErrorKind::invalid_argument,
               "--verity is require, on, validate or off, not '" + std::string(text) + "'");
}

namespace {

// So often a name may be replaced while we look at it.
constexpr int kMaxReplacements = 100;

Result<HeldImage> try_to_hold(store::Store& store, const store::NamedImage& record,
                              const sign::Anchors& anchors, bool& missing) {
  auto taken = store::Lease::take(store, record);
  missing = !taken && taken.error().kind() == ErrorKind::not_found;
  // A missing image is damage; opening it says which file.
  store::Lease lease = missing ? store::Lease() : TRY(std::move(taken));
  Chain chain = TRY(check_chain(store, record, anchors));
  return HeldImage{record, std::move(lease), std::move(chain)};
}

}  // namespace

Result<HeldImage> hold_image(store::Store& store, const std::string& name,
                             const sign::Anchors& anchors) {
  store::NamedImage record = TRY(store::resolve_image(store, name));
  for (int i = 0;; ++i) {
    bool missing = false;
    auto held = try_to_hold(store, record, anchors, missing);
    if (held && !missing) return held;
    // Has the name been replaced or removed since we looked, and the old image collected?
    store::NamedImage now = TRY(store::resolve_image(store, name));
    if (now.manifest == record.manifest || i == kMaxReplacements) return held;
    record = std::move(now);
  }
}

void attach_object_dirs(store::Store& store, const store::NamedImage& record) {
  for (const std::string& dir : record.object_dirs)
    (void)store.add_object_dir(dir, store::DirectoryOrigin::record).has_value();
}

Result<std::unique_ptr<OpenedImage>> OpenedImage::open(const std::shared_ptr<store::Store>& store,
                                                       const std::string& name,
                                                       const OpenOptions& options) {
  // The lease first: what is checked below must not be collected meanwhile.
  auto [record, lease, chain] = TRY(hold_image(*store, name, options.anchors));
  attach_object_dirs(*store, record);
  const Profile& profile = *TRY(find_profile(chain.image.format));
  auto tree = TRY(profile.open(store, chain.image.digest, options.verity, options.damage)
                      .context("image of '" + name + "'"));
  return std::unique_ptr<OpenedImage>(
      new OpenedImage(std::move(record), std::move(chain), std::move(lease), std::move(tree)));
}

}  // namespace intact::image
