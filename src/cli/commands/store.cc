#include <memory>

#include <intact/json/json.h>
#include <intact/store/fsck.h>
#include <intact/store/gc.h>

#include "../command.h"
#include "../commands.h"
#include "../image_summary.h"
#include "../store_option.h"
#include "../stored_objects.h"

namespace intact::cli {
namespace {

struct Options {
  std::vector<std::string> names;
  bool dry_run = false;
  bool json = false;
  bool digests = false;
};

/// "sha256:" and as many digits as tell images apart by eye.
std::string short_digest(const Digest& digest) {
  return digest.hex().substr(0, 12);
}

Result<int> list_images(const Options& options, const StoreOption& store_option) {
  // No store is a store without images: pull makes one when it is needed.
  std::vector<store::NamedImage> images;
  std::vector<Error> damaged;
  auto store = store_option.open();
  if (store) {
    images = TRY((*store)->list(&damaged));
  } else if (store.error().kind() == ErrorKind::not_found) {
    warn(store.error().message());
  } else {
    return std::move(store).error();
  }
  for (const Error& error : damaged) warn(error.message() + " (pull it again, or remove the name)");
  if (options.json) {
    Json json = Json::array();
    for (const store::NamedImage& image : images)
      json.push_back({{"name", image.name},
                      {"manifest", image.manifest.to_string()},
                      {"image", image.image.to_string()},
                      {"size", image.size},
                      {"created", format_time(image.created)},
                      {"source", image.source},
                      {"layers_kept", image.layers_kept}});
    print("{}\n", to_text(json));
  } else {
    std::size_t width = 4;
    for (const store::NamedImage& image : images) width = std::max(width, image.name.size());
    const std::size_t digest_width = options.digests ? 71 : 12;
    print("{:<{}}  {:<{}}  {:<{}}  {:>9}  {}\n", "NAME", width, "MANIFEST", digest_width, "IMAGE",
          digest_width, "SIZE", "PULLED");
    for (const store::NamedImage& image : images) {
      auto text = [&](const Digest& digest) {
        return options.digests ? digest.to_string() : short_digest(digest);
      };
      print("{:<{}}  {:<{}}  {:<{}}  {:>9}  {}\n", image.name, width, text(image.manifest),
            digest_width, text(image.image), digest_width, format_size(image.size),
            format_time(image.created));
    }
  }
  return damaged.empty() ? 0 : 3;
}

Result<int> inspect(const Options& options, const StoreOption& store_option) {
  const auto store = TRY(store_option.open());
  const ImageSummary summary = TRY(summarize(*store, options.names.at(0)));
  if (options.json) {
    print("{}\n", to_text(to_json(summary)));
  } else {
    print("{}", to_lines(summary));
  }
  return 0;
}

Result<int> remove_names(const Options& options, const StoreOption& store_option) {
  const auto store = TRY(store_option.open());
  for (const std::string& name : options.names) TRY(store->remove(name));
  if (options.json) {
    print("{}\n", to_text(Json{{"removed", options.names}}));
  } else {
    for (const std::string& name : options.names) print("Removed the name '{}'\n", name);
    print("Its content stays until `intact gc` removes what nothing else needs\n");
  }
  return 0;
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
  if (options.json) {
    print("{}\n",
          to_text(
              Json{{"dry_run", options.dry_run},
                   {"removed",
                    {{"objects", report.objects},
                     {"images", report.images},
                     {"trees", report.trees},
                     {"blobs", report.blobs},
                     {"staging", report.staging},
                     {"leases", report.leases}}},
                   {"bytes", report.bytes},
                   {"kept", {{"objects", report.kept_objects}, {"images", report.kept_images}}}}));
    return 0;
  }
  const std::string_view verb = options.dry_run ? "Would remove" : "Removed";
  if (report.removed() == 0) {
    print("Nothing to remove: {} and {} are in use\n", counted(report.kept_images, "image"),
          counted(report.kept_objects, "object"));
  } else {
    print("{} {}, {}, {}, {} and {} from processes that died: {}\n", verb,
          counted(report.objects, "object"), counted(report.images, "image"),
          counted(report.trees, "file") + " of hash trees", counted(report.blobs, "blob"),
          counted(report.staging + report.leases, "leftover"), format_size(report.bytes));
  }
  return 0;
}

Json to_json(const store::FsckReport& report) {
  Json damaged = Json::array();
  for (const store::StoreDamage& damage : report.damaged) {
    Json item{{"path", damage.path}, {"object", damage.object}};
    item["block"] = damage.block ? Json(*damage.block) : Json();
    item["offset"] = damage.offset ? Json(*damage.offset) : Json();
    item["reason"] = damage.reason;
    item["image"] = damage.image;
    damaged.push_back(std::move(item));
  }
  return Json{{"ok", report.ok()},
              {"checked",
               {{"names", report.names},
                {"images", report.images},
                {"objects", report.objects},
                {"blobs", report.blobs},
                {"bytes", report.bytes}}},
              {"damaged", std::move(damaged)},
              {"rubbish", {{"files", report.rubbish}, {"bytes", report.rubbish_bytes}}},
              {"foreign", report.foreign}};
}

void print_for_people(const store::FsckReport& report) {
  for (const store::StoreDamage& damage : report.damaged) {
    std::string where = damage.path;
    if (damage.block)
      where += fmt::format(": block {} (byte {})", *damage.block, damage.offset.value_or(0));
    if (!damage.object.empty()) where += " of " + damage.object;
    print("DAMAGED {}{}: {}\n", damage.image.empty() ? "" : "'" + damage.image + "' ", where,
          damage.reason);
  }
  for (const std::string& path : report.foreign) print("Not ours, left alone: {}\n", path);
  if (report.rubbish > 0)
    print("{} that nothing needs ({}): `intact gc` removes them\n", counted(report.rubbish, "file"),
          format_size(report.rubbish_bytes));
  const std::string checked = fmt::format(
      "{}, {}, {}, {} ({}) checked", counted(report.names, "name"), counted(report.images, "image"),
      counted(report.objects, "object"), counted(report.blobs, "blob"), format_size(report.bytes));
  if (report.ok()) {
    print("The store is in order: {}\n", checked);
  } else {
    print("The store is damaged in {}: {}. Pull the images again to mend it\n",
          counted(report.damaged.size(), "place"), checked);
  }
}

Result<int> check(const Options& options, const StoreOption& store_option) {
  const auto store = TRY(store_option.open());
  auto list_objects = [&](const Digest& image) -> Result<std::vector<store::ImageObject>> {
    std::vector<store::ImageObject> objects;
    for (composefs::ObjectReference& object : TRY(list_stored_objects(*store, image)))
      objects.push_back({.payload = std::move(object.payload),
                         .size = object.size,
                         .path = std::move(object.path)});
    return objects;
  };
  const store::FsckReport report = TRY(store::check(*store, {.list_objects = list_objects}));
  if (options.json) {
    print("{}\n", to_text(to_json(report)));
  } else {
    print_for_people(report);
  }
  return report.ok() ? 0 : 3;
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

}  // namespace

void add_store_commands(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* images =
      add_store_command(program, options, "images", "List the images in the store", list_images);
  images->add_flag("--digests", options->digests, "Print whole digests");
  CLI::App* show = add_store_command(program, options, "inspect",
                                     "Show what is known about an image, unverified", inspect);
  show->add_option("NAME", options->names, "The image")->required()->expected(1);
  CLI::App* rm = add_store_command(program, options, "rm", "Forget names; gc then frees the space",
                                   remove_names);
  rm->add_option("NAME", options->names, "The images")->required();
  CLI::App* gc = add_store_command(
      program, options, "gc",
      "Remove what no name, mount or running pull needs any more, and what crashes left", collect);
  gc->add_flag("--dry-run", options->dry_run, "Only tell what would be removed");
  add_store_command(program, options, "fsck",
                    "Hash everything that names refer to and list what is damaged", check);
}

}  // namespace intact::cli
