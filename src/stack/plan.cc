#include <fmt/format.h>

#include <intact/stack/plan.h>
#include <intact/stack/targets.h>

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
