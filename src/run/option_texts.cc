#include <intact/run/options.h>

namespace intact::run {

Result<void> read_texts(const OptionTexts& texts, RunOptions& options) {
  if (!texts.runtime.empty()) options.runtime = TRY(parse_runtime(texts.runtime));
  options.network = TRY(parse_network(texts.network));
  for (const auto& text : texts.volumes) options.volumes.push_back(TRY(parse_volume(text)));
  for (const auto& text : texts.tmpfs) options.tmpfs.push_back(TRY(parse_tmpfs(text)));
  if (!texts.memory.empty()) options.limits.memory = TRY(parse_bytes("--memory", texts.memory));
  if (!texts.cpus.empty()) options.limits.cpu_quota = TRY(parse_cpus(texts.cpus));
  if (!texts.pids.empty()) options.limits.pids = TRY(parse_pids(texts.pids));
  if (!texts.rw_size.empty()) {
    options.writable = true;
    options.writable_size = TRY(parse_writable_size(texts.rw_size));
  }
  if (!texts.tmpfs_size.empty()) options.tmpfs_size = TRY(parse_tmpfs_size(texts.tmpfs_size));
  // Variables of files come first: --env replaces them.
  std::vector<std::string> env;
  for (const auto& file : texts.env_files) {
    const auto variables = TRY(read_env_file(file));
    env.insert(env.end(), variables.begin(), variables.end());
  }
  options.env.insert(options.env.begin(), env.begin(), env.end());
  return {};
}

}  // namespace intact::run
