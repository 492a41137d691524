#include <algorithm>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/block/linear_target.h>
#include <intact/stack/stack.h>

#include "opened.h"

namespace intact::stack {
namespace {

Json to_json(const block::Counter& counter) {
  return std::visit(
      []<typename Value>(const Value& value) {
        if constexpr (std::is_same_v<Value, std::monostate>)
          return Json();
        else
          return Json(value);
      },
      counter.value);
}

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names& names,
                                                 const dm::Opening& opening) {
  return TRY(find_target(line.target))->open(line, names, opening);
}

}  // namespace

Result<void> Stack::open(const dm::Table& table, dm::Names& names, const std::string& name,
                         const dm::Events& events, Writing writing, const dm::Header* header) {
  const std::size_t number = tables_ + 1;
  if (number > kMaxTables)
    return Error(ErrorKind::limit, fmt::format("{}: more than {} nested layers", name, kMaxTables));
  const bool is_only = table.lines.size() == 1;
  std::vector<Part> opened;
  std::vector<std::shared_ptr<block::Device>> devices;
  dm::Claims claims = claims_;
  for (const dm::Line& line : table.lines) {
    dm::Opening opening{
        .name = number == 1 ? name : fmt::format("{}, layer {} ({})", name, number, line.target),
        .events = events,
        .read_only = table.read_only || writing != Writing::as_files_allow,
        .for_kernel = writing == Writing::by_kernel,
        .for_other_writer =
            !table.read_only && (writing == Writing::by_kernel || writing == Writing::by_process),
        .header = is_only ? header : nullptr,
        .claims = table.read_only ? nullptr : &claims};
    claims.begin_line();
    if (!is_only) opening.name += fmt::format(", sectors from {} on", line.start);
    auto device = open_line(line, names, opening);
    if (!device) {
      Error error = std::move(device).error();
      return std::move(error).with_context(
          is_only ? opening.name : fmt::format("table line {}", devices.size() + 1));
    }
    opened.push_back({.target = line.target, .device = *device});
    devices.push_back(*std::move(device));
  }
  std::shared_ptr<block::Device> top = devices.front();
  if (!is_only) top = TRY(block::ConcatTarget::open(std::move(devices)));
  names.add_device(table.name, top);
  std::ranges::move(opened, std::back_inserter(parts_));
  top_ = std::move(top);
  claims_ = std::move(claims);
  ++tables_;
  return {};
}

Result<void> Stack::make_writable() {
  TRY(claims_.check());
  for (const Part& part : parts_) TRY(part.device->make_writable());
  return {};
}

Result<void> Stack::check_make_writable() const {
  TRY(claims_.check());
  for (const Part& part : parts_) TRY(part.device->check_make_writable());
  return {};
}

void Stack::push(std::string target, std::shared_ptr<block::Device> device) {
  top_ = device;
  parts_.push_back({std::move(target), std::move(device)});
  ++tables_;
}

std::shared_ptr<block::Device> Stack::top() const {
  return top_ ? top_ : file_;
}

std::string Stack::summary() const {
  std::string all;
  for (const Part& part : parts_) {
    const std::string own = part.device->summary();
    if (own.empty()) continue;
    if (!all.empty()) all += "; ";
    all += parts_.size() == 1 ? own : part.target + ": " + own;
  }
  return all;
}

bool Stack::has_status() const {
  return std::ranges::any_of(parts_,
                             [](const Part& part) { return !part.device->counters().empty(); });
}

std::vector<std::shared_ptr<block::Device>> Stack::devices() const {
  std::vector<std::shared_ptr<block::Device>> all;
  all.reserve(parts_.size());
  for (const Part& part : parts_) all.push_back(part.device);
  return all;
}

Json Stack::status() const {
  Json all = {{"pid", ::getpid()}, {"layers", Json::array()}};
  for (const Part& part : parts_) {
    Json own = {{"format", part.target}};
    for (const block::Counter& counter : part.device->counters())
      own[std::string(counter.name)] = to_json(counter);
    all["layers"].push_back(std::move(own));
  }
  return all;
}

Result<void> Stack::close() {
  Result<void> outcome = top()->flush();
  for (const Part& part : std::views::reverse(parts_)) {
    Result<void> closed = part.device->close();
    if (outcome) outcome = std::move(closed);
  }
  return outcome;
}

Result<Stack> open(Plan& plan, const dm::Events& events, Writing writing) {
  auto opened = std::exchange(plan.opened, nullptr);
  // Not as this caller needs it.
  const bool for_kernel = writing == Writing::by_kernel;
  if (opened && (opened->writing == Writing::by_kernel) != for_kernel) opened.reset();
  Stack stack = opened ? std::move(opened->stack) : Stack(plan.file, plan.known_by);
  if (!opened)
    for (const dm::Table& table : plan.tables)
      TRY(stack.open(table, plan.names, plan.name, events, writing));
  else
    opened->events.pass_on_to(events);
  if (writing == Writing::by_process && TRY(can_be_written(plan))) TRY(stack.check_make_writable());
  if (opened && for_kernel && TRY(can_be_written(plan))) TRY(stack.check_claims());
  if (opened && writing == Writing::as_files_allow && TRY(can_be_written(plan)))
    TRY(stack.make_writable());
  return stack;
}

}  // namespace intact::stack
