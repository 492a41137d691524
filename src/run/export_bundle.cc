#include <fmt/format.h>
#include <sys/resource.h>

#include <intact/run/bundle.h>

namespace intact::run {

Result<ExportedBundle> export_bundle(const tree::FileTree& tree, const ProcessImage& image) {
  HostFacts host;
  host.uids = host.gids = {{.container = 0, .host = 0, .size = UINT32_MAX}};
  // The runtime cannot raise a limit that root itself is under.
  rlimit limit;
  if (::getrlimit(RLIMIT_NPROC, &limit) == 0) host.max_processes = limit.rlim_max;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) host.max_open_files = limit.rlim_max;
  RunOptions options;
  if (!make_arguments(image, options)) options.command = {"sh"};
  Bundle bundle = TRY(plan_bundle(tree, image, options, host, "intact"));
  ExportedBundle exported{.files = {}, .warnings = TRY(find_large_copies(tree, bundle))};
  for (Mount& mount : bundle.mounts) {
    if (!mount.content) continue;
    // Only /etc/hosts has a content here. The image chooses where that leads: its name is ours.
    mount.source = exported.files.empty() ? "hosts" : fmt::format("file-{}", exported.files.size());
    exported.files[mount.source] = to_bytes(*mount.content);
  }
  exported.files["config.json"] =
      to_bytes(make_config(bundle, RuntimeKind::runc, host).dump(2) + "\n");
  return exported;
}

}  // namespace intact::run
