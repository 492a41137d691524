#include <fmt/format.h>

#include <intact/block/device_files.h>
#include <intact/stack/plan.h>
#include <intact/stack/stack.h>

namespace intact::stack {

Result<std::string> Plan::top() {
  if (!tables.empty()) return "dm:" + tables.back().name;
  return names.add(file);
}

void Plan::add(dm::Table table) {
  table.name = fmt::to_string(tables.size() + 1);
  tables.push_back(std::move(table));
}

void Plan::add(dm::Line line) {
  add(dm::Table{.name = {}, .lines = {std::move(line)}});
}

Result<Plan> plan_from_lines(std::string_view text, block::Access access) {
  Plan plan{.name = "table", .file = {}};
  plan.tables.push_back({.name = "table", .lines = TRY(dm::parse_lines(text))});
  if (TRY(is_read_only(plan))) access = block::Access::read_only;
  plan.read_only = plan.tables[0].read_only = access == block::Access::read_only;
  block::DeviceFiles files(access);
  for (dm::Line& line : plan.tables[0].lines)
    TRY(dm::use_own_names(line, plan.names, [&](const std::string& path) -> Result<dm::File> {
      dm::File file = TRY(files.open(path));
      if (!plan.known_by) plan.known_by = file;
      return file;
    }));
  return plan;
}

Result<void> prepare_for_kernel(Plan& plan) {
  if (!plan.file || plan.file->writable() || plan.tables.empty()) return {};
  for (const dm::Line& line : plan.tables[0].lines)
    if (TRY(find_target(line.target))->kernel_writes)
      return plan.file->make_writable().context(plan.name);
  return {};
}

Result<bool> can_be_written(const Plan& plan) {
  if (plan.read_only || (plan.file && !plan.file->writable())) return false;
  return !TRY(is_read_only(plan));
}

Result<bool> is_read_only(const Plan& plan) {
  for (const dm::Table& table : plan.tables)
    for (const dm::Line& line : table.lines)
      if (!TRY(find_target(line.target))->writable) return true;
  return false;
}

}  // namespace intact::stack
