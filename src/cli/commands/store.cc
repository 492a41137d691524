#include <algorithm>
#include <memory>
#include <set>

#include <intact/base/visible.h>
#include <intact/console/format_template.h>
#include <intact/console/output.h>
#include <intact/image/remove.h>
#include <intact/image/tag.h>
#include <intact/image/verify.h>
#include <intact/json/json.h>
#include <intact/store/gc.h>
#include <intact/store/resolve.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "image_summary.h"
#include "store_commands.h"
#include "stored_objects.h"

namespace intact::cli {
namespace {

using Options = StoreCommandOptions;

/// Every name that is to go. All must be there, or none goes.
Result<std::set<std::string>> names_to_remove(const store::Store& store, const Options& options) {
  std::set<std::string> names;
  if (options.all) {
    std::vector<Error> damaged;
    for (const store::NamedImage& image : TRY(store.list(&damaged))) names.insert(image.name);
    for (const Error& error : damaged) warn(error.message());
    return names;
  }
  for (const std::string& name : options.names) {
    // A name in the store is removed whatever it looks like, also like the digest of another image.
    if (store.find(name)) {
      names.insert(name);
      continue;
    }
    auto found = store::resolve_names(store, name);
    if (found) {
      for (const store::NamedImage& image : *found) names.insert(image.name);
    } else if (found.error().kind() == ErrorKind::malformed) {
      names.insert(name);  // a damaged record can be removed as well
    } else if (found.error().kind() == ErrorKind::not_found &&
               std::ranges::binary_search(TRY(image::lost_names(store)), name)) {
      names.insert(name);
    } else {
      return std::move(found).error();
    }
  }
  return names;
}

Result<int> remove_names(const Options& options, const StoreOption& store_option) {
  if (options.all == !options.names.empty())
    return Error(ErrorKind::invalid_argument,
                 options.all ? "--all: removes every image; leave out the names"
                             : "nothing to remove; give a NAME, or --all");
  const auto store = TRY(store_option.open());
  const std::set<std::string> names = TRY(names_to_remove(*store, options));
  for (const std::string& name : names) {
    if (const auto error = TRY(image::remove(*store, name)))
      warn("'" + name +
           "' was removed, but the pull of it is still remembered: " + error->message());
  }
  if (options.json) {
    print_json(Json{{"removed", names}});
  } else {
    for (const std::string& name : names) print("Removed '{}'\n", visible(name));
    print_text(names.empty() ? "The store is empty\n" : "Run `intact gc` to free the space\n");
  }
  return 0;
}

Result<int> tag_image(const Options& options, const StoreOption& store_option,
                      const AnchorOptions& anchors) {
  const auto store = TRY(store_option.open());
  const store::NamedImage image = TRY(
      image::tag(*store, options.old_name, options.new_name, anchors.anchors(), options.replace));
  if (options.json) {
    print_json(Json{{"name", image.name}, {"manifest", image.manifest.to_string()}});
  } else {
    print("'{}' is {}\n", visible(image.name), image.manifest.to_string());
  }
  return 0;
}

/// "Freed 172.6 MB: 8 blobs, 1 interrupted operation"
void print_collected(const store::GcReport& report, bool dry_run) {
  if (report.removed() == 0) {
    print("Nothing to remove: {} and {} are in use\n", counted(report.kept_images, "image"),
          counted(report.kept_objects, "object"));
    return;
  }
  std::string parts;
  const auto part = [&parts](std::uint64_t count, std::string_view thing) {
    if (count > 0) parts += (parts.empty() ? "" : ", ") + counted(count, thing);
  };
  part(report.objects, "object");
  part(report.images, "image");
  part(report.trees, "hash tree");
  part(report.blobs, "blob");
  part(report.staging, "interrupted operation");
  part(report.leases, "ended mount");
  print("{} {}: {}\n", dry_run ? "Would free" : "Freed", format_size(report.bytes), parts);
}

Result<int> collect(const Options& options, const StoreOption& store_option) {
  const auto store = TRY(store_option.open());
  auto list_payloads = [&](const Digest& image) -> Result<std::vector<std::string>> {
    std::vector<std::string> payloads;
    const auto objects = TRY(list_stored_objects(*store, image));
    payloads.reserve(objects.size());
    for (const composefs::ObjectReference& object : objects) payloads.push_back(object.payload);
    return payloads;
  };
  const store::GcReport report =
      TRY(store::collect_garbage(*store, options.dry_run, list_payloads));
  if (!options.json) {
    print_collected(report, options.dry_run);
    return 0;
  }
  print_json(Json{{"dry_run", options.dry_run},
                  {"removed",
                   {{"objects", report.objects},
                    {"images", report.images},
                    {"trees", report.trees},
                    {"blobs", report.blobs},
                    {"staging", report.staging},
                    {"leases", report.leases}}},
                  {"bytes", report.bytes},
                  {"kept", {{"objects", report.kept_objects}, {"images", report.kept_images}}}});
  return 0;
}

using Run = Result<int> (*)(const Options&, const StoreOption&);

/// A command on the store, with the options that all of them have.
CLI::App* add_store_command(Program& program, const std::shared_ptr<Options>& options,
                            const char* name, const char* description, Run run) {
  CLI::App* command = program.add(program.app(), name, description);
  command->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(command);
  program.on_chosen(command, [options, store, run] { return run(*options, store); });
  return command;
}

void add_format_option(CLI::App* command, const std::shared_ptr<Options>& options,
                       const char* description) {
  command->add_option("--format", options->format, description)->type_name("TEMPLATE");
}

}  // namespace

void add_store_commands(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* images =
      add_store_command(program, options, "images", "List the images in the store", list_images);
  images->add_flag("-q,--quiet", options->quiet,
                   "Print only the digest of each manifest, as accepted for a NAME");
  images->add_flag("--digests", options->digests, "Print whole digests");
  images->add_flag("--sizes", options->sizes,
                   "Show how much of each image is its own and how much it shares with others");
  add_format_option(images, options,
                    "Print each image by this template, e.g. '{{.Name}} {{.Digest}}'");

  CLI::App* show = add_store_command(program, options, "inspect",
                                     "Show the details of an image (not verified)", inspect_image);
  show->add_option("NAME", options->names, "Image to show")->required()->expected(1);
  add_format_option(show, options, "Print fields by this template, e.g. '{{.Config.Env}}'");

  CLI::App* rm =
      add_store_command(program, options, "rm",
                        "Remove images from the store (run `gc` to free space)", remove_names);
  rm->add_option("NAME", options->names, "Images to remove; a digest removes all of its names");
  rm->add_flag("-a,--all", options->all, "Remove every image");

  CLI::App* tag = program.add(program.app(), "tag", "Give an image in the store another name");
  tag->add_option("NAME", options->old_name, "Image in the store")->required();
  tag->add_option("NEW", options->new_name, "Further name for it")->required()->type_name("");
  tag->add_flag("--replace", options->replace, "Replace the image that NEW refers to");
  tag->add_flag("--json", options->json, "Print the result as JSON");
  const StoreOption store(tag);
  const AnchorOptions anchors(tag);
  program.on_chosen(tag, [options, store, anchors] { return tag_image(*options, store, anchors); });

  CLI::App* gc =
      add_store_command(program, options, "gc",
                        "Free the space of what no image, mount or running pull needs", collect);
  gc->add_flag("--dry-run", options->dry_run, "Only show what would be removed");
  add_store_command(program, options, "fsck",
                    "Check everything that images in the store need for damage", check_store);
}

}  // namespace intact::cli
