#include <algorithm>
#include <optional>
#include <set>

#include <intact/base/visible.h>
#include <intact/console/format_template.h>
#include <intact/console/output.h>
#include <intact/json/json.h>

#include "command.h"
#include "image_sizes.h"
#include "image_summary.h"
#include "store_commands.h"

namespace intact::cli {
namespace {

/// As many digits as tell images apart by eye, and are enough as a NAME.
std::string short_digest(const Digest& digest) {
  return digest.hex().substr(0, 12);
}

struct Listing {
  std::vector<store::NamedImage> images;
  std::vector<Error> damaged;  ///< records
  std::optional<std::map<Digest, ImageSize>> sizes;

  std::optional<ImageSize> size_of(const store::NamedImage& image) const {
    if (!sizes) return std::nullopt;
    const auto found = sizes->find(image.image);
    if (found == sizes->end()) return std::nullopt;
    return found->second;
  }
};

Json to_json(const Listing& listing) {
  Json json = Json::array();
  for (const store::NamedImage& image : listing.images) {
    json.push_back({{"name", image.name},
                    {"manifest", image.manifest.to_string()},
                    {"image", image.image.to_string()},
                    {"size", image.size},
                    {"created", format_time(image.created)},
                    {"source", image.source},
                    {"layers_kept", image.layers_kept}});
    if (!listing.sizes) continue;
    const auto size = listing.size_of(image);
    json.back()["own_size"] = size ? Json(size->own) : Json();
    json.back()["shared_size"] = size ? Json(size->shared) : Json();
  }
  return json;
}

/// A row for --format, with the fields that users of podman expect.
Json fields_of(const store::NamedImage& image, const std::optional<ImageSize>& size) {
  // A colon in a component is that of the tag; one before a slash is that of a port.
  const std::size_t slash = image.name.rfind('/');
  const std::size_t colon = image.name.find(':', slash == std::string::npos ? 0 : slash);
  const bool tagged = colon != std::string::npos;
  return {{"Name", image.name},
          {"Repository", image.name.substr(0, colon)},
          {"Tag", tagged ? image.name.substr(colon + 1) : std::string()},
          {"ID", short_digest(image.manifest)},
          {"Digest", image.manifest.to_string()},
          {"Manifest", image.manifest.to_string()},
          {"Image", image.image.to_string()},
          {"Size", format_size(image.size)},
          {"OwnSize", size ? format_size(size->own) : "?"},
          {"SharedSize", size ? format_size(size->shared) : "?"},
          {"Bytes", image.size},
          {"Created", format_time(image.created)},
          {"CreatedAt", format_time(image.created)},
          {"Source", image.source},
          {"LayersKept", image.layers_kept}};
}

void print_digests(const Listing& listing, bool whole) {
  std::set<Digest> seen;
  for (const store::NamedImage& image : listing.images)
    if (seen.insert(image.manifest).second)
      print("{}\n", whole ? image.manifest.to_string() : short_digest(image.manifest));
}

void print_table(const Listing& listing, bool whole_digests) {
  std::string text = "NAME\tMANIFEST\tIMAGE\tSIZE";
  text += listing.sizes ? "\tOWN\tSHARED\tPULLED\n" : "\tPULLED\n";
  const auto digest = [&](const Digest& d) {
    return whole_digests ? d.to_string() : short_digest(d);
  };
  for (const store::NamedImage& image : listing.images) {
    text += fmt::format("{}\t{}\t{}\t{}", visible(image.name), digest(image.manifest),
                        digest(image.image), format_size(image.size));
    if (listing.sizes) {
      const auto size = listing.size_of(image);
      text += size ? fmt::format("\t{}\t{}", format_size(size->own), format_size(size->shared))
                   : std::string("\t?\t?");
    }
    text += "\t" + format_time(image.created) + "\n";
  }
  print_text(aligned_columns(text));
}

Result<Listing> read_listing(const StoreOption& store_option, bool with_sizes) {
  Listing listing;
  auto store = store_option.open();
  if (store) {
    listing.images = TRY((*store)->list(&listing.damaged));
    std::ranges::sort(listing.images, {}, &store::NamedImage::name);
    if (with_sizes) listing.sizes = TRY(image_sizes(**store, listing.images));
  } else if (store.error().kind() == ErrorKind::not_found) {
    // No store is a store without images: pull makes one when it is needed.
    warn(store.error().message());
    if (with_sizes) listing.sizes.emplace();
  } else {
    return std::move(store).error();
  }
  for (const Error& error : listing.damaged)
    warn(error.message() + "; pull the image again, or remove the name");
  return listing;
}

}  // namespace

Result<int> list_images(const StoreCommandOptions& options, const StoreOption& store_option) {
  std::optional<FormatTemplate> format;
  if (!options.format.empty()) format = TRY(FormatTemplate::parse(options.format));
  const bool json = options.json || (format && format->is_json());
  const bool with_sizes =
      options.sizes || (format && !json && (format->uses("OwnSize") || format->uses("SharedSize")));
  const Listing listing = TRY(read_listing(store_option, with_sizes));
  if (json) {
    print_json(to_json(listing));
  } else if (options.quiet) {
    print_digests(listing, options.digests);
  } else if (format) {
    std::vector<Json> rows;
    for (const store::NamedImage& image : listing.images)
      rows.push_back(fields_of(image, listing.size_of(image)));
    const Digest none = *Digest::parse_hex(std::string(64, '0'));
    print_text(TRY(format->render(
        rows, fields_of({.name = "", .manifest = none, .image = none}, std::nullopt))));
  } else {
    print_table(listing, options.digests);
  }
  return listing.damaged.empty() ? 0 : 3;
}

Result<int> inspect_image(const StoreCommandOptions& options, const StoreOption& store_option) {
  std::optional<FormatTemplate> format;
  if (!options.format.empty()) format = TRY(FormatTemplate::parse(options.format));
  const auto store = TRY(store_option.open());
  const ImageSummary summary = TRY(summarize(*store, options.names.at(0)));
  if (options.json || (format && format->is_json())) {
    print_json(to_json(summary));
  } else if (format) {
    const Json fields = to_fields(summary);
    print_text(TRY(format->render({fields}, fields)));
  } else {
    print_text(to_lines(summary));
  }
  return 0;
}

}  // namespace intact::cli
