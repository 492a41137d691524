#include <intact/image/chain.h>
#include <intact/image/tag.h>
#include <intact/store/name.h>
#include <intact/store/tag.h>

#include "pull_memory.h"
#include "stored_image.h"

namespace intact::image {

Result<store::NamedImage> tag(store::Store& store, const std::string& name,
                              const std::string& new_name, const sign::Anchors& anchors,
                              bool replace) {
  TRY(store::check_name(new_name));
  // The lease keeps the image from gc until it has its name.
  const HeldImage held = TRY(hold_image(store, name, anchors));
  store::NamedImage image = held.record;
  image.name = new_name;
  TRY(check_name_allowed(store, image, anchors));
  Result<void> remembered;
  const store::NamingHooks hooks{
      .before = [&] { return announce_pull(anchors, store, new_name, image.manifest, replace); },
      .after = [&] { remembered = remember_pull(anchors, store, new_name, image.manifest); }};
  TRY(store::tag_image(store, image, replace, hooks));
  TRY(std::move(remembered).context("'" + new_name + "' has been tagged, but not remembered"));
  return image;
}

}  // namespace intact::image
