#include <algorithm>

#include <intact/image/chain.h>
#include <intact/image/names.h>
#include <intact/store/name.h>
#include <intact/store/resolve.h>

#include "local_seals.h"
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
  TRY(check_name_allowed(store, image, held.chain, anchors));
  std::map<Digest, Bytes> documents;
  if (held.chain.local_seal) {
    sign::LocalSeal seal = *held.chain.local_seal;
    seal.name = new_name;
    NewSeal made = TRY(seal_locally(seal));
    put_local_seal(image, made.digest);
    documents.emplace(made.digest, std::move(made.document));
  }
  image.through = held.chain.origin.through;
  const PulledImage pulled(image.manifest, local_seal_of(image), held.chain.origin);
  Result<void> remembered;
  const store::NamingHooks hooks{
      .before = [&] { return announce_pull(anchors, store, new_name, pulled, replace); },
      .after = [&] { remembered = remember_pull(anchors, store, new_name, pulled); }};
  TRY(store::tag_image(store, image, replace, hooks, documents));
  TRY(std::move(remembered).context("'" + new_name + "' has been tagged, but not remembered"));
  return image;
}

Result<std::map<std::string, std::string>> names_to_remove(const store::Store& store,
                                                           const std::vector<std::string>& texts,
                                                           bool skip_missing) {
  std::map<std::string, std::string> names;
  for (const std::string& text : texts) {
    if (store.find(text)) {
      names[text] = text;
      continue;
    }
    // Such a record stands for nothing, but is in the way of gc.
    const bool is_stray = store::is_digest_form(text) && store.has_record(text);
    if (is_stray) names[text] = text;
    auto found = store::resolve_names(store, text);
    if (found) {
      for (const store::NamedImage& image : *found) names.try_emplace(image.name, text);
      continue;
    }
    if (is_stray) continue;
    const ErrorKind kind = found.error().kind();
    const bool is_removable =
        kind == ErrorKind::malformed ||
        (kind == ErrorKind::not_found && std::ranges::binary_search(TRY(lost_names(store)), text));
    if (!is_removable && skip_missing && kind == ErrorKind::not_found) continue;
    if (!is_removable) return std::move(found).error();
    names[text] = text;
  }
  return names;
}

Result<std::map<std::string, std::string>> all_names_to_remove(const store::Store& store,
                                                               std::vector<Error>& damaged) {
  std::map<std::string, std::string> names;
  for (const store::NamedImage& image : TRY(store.list(&damaged))) names[image.name] = image.name;
  for (const std::string& name : TRY(lost_names(store))) names[name] = name;
  return names;
}

Result<std::optional<Error>> remove(store::Store& store, const std::string& name,
                                    const std::string& called) {
  TRY(state_directory());  // before anything changes
  if (const auto removed = store.remove(name); !removed) {
    // The store has lost it, and the user says that this is right.
    const bool is_lost = removed.error().kind() == ErrorKind::not_found &&
                         std::ranges::binary_search(TRY(remembered_names(store)), name);
    if (!is_lost) return Error(removed.error());
  }
  auto forgotten = forget_pull(store, name, called);
  if (!forgotten) return std::optional(std::move(forgotten).error());
  if (*forgotten) return std::optional<Error>();
  return std::optional(Error(ErrorKind::untrusted,
                             "another image was pulled under this name; if it is to be forgotten, "
                             "run `intact rm " +
                                 name + "`"));
}

}  // namespace intact::image
