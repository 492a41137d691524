#include <ranges>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/stack/stack.h>

namespace intact::stack {

const char* name_of(const AnyLayer& layer) {
  return std::visit([]<typename Kind>(const Kind&) { return Kind::kName; }, layer);
}

bool is_read_only(const Volume& volume) {
  return std::ranges::any_of(volume.layers, [](const AnyLayer& layer) {
    return std::visit([]<typename Kind>(const Kind&) { return !Kind::kWritable; }, layer);
  });
}

Result<void> Stack::open(const AnyLayer& layer, const std::string& name, const Events& events,
                         Writing writing) {
  const std::size_t number = parts_.size() + 1;
  if (number > kMaxLayers)
    return Error(ErrorKind::limit, fmt::format("{}: more than {} nested layers", name, kMaxLayers));
  const char* const format = name_of(layer);
  const Opening opening{
      .below = top(),
      .name = number == 1 ? name : fmt::format("{}, layer {} ({})", name, number, format),
      .events = events,
      .read_only = writing == Writing::never};
  OpenLayer open =
      TRY(std::visit([&opening](const auto& kind) { return kind.open(opening); }, layer));
  push(format, std::move(open));
  return {};
}

void Stack::push(std::string format, OpenLayer layer) {
  parts_.push_back({std::move(format), std::move(layer)});
}

std::shared_ptr<block::BlockTarget> Stack::top() const {
  return parts_.empty() ? file_ : parts_.back().layer.device;
}

std::string Stack::summary() const {
  std::string all;
  for (const Part& part : parts_) {
    const std::string own = part.layer.summary ? part.layer.summary() : std::string();
    if (own.empty()) continue;
    if (!all.empty()) all += "; ";
    all += parts_.size() == 1 ? own : part.format + ": " + own;
  }
  return all;
}

bool Stack::has_status() const {
  return std::ranges::any_of(parts_, [](const Part& part) { return bool(part.layer.status); });
}

Json Stack::status() const {
  Json all = {{"pid", ::getpid()}, {"layers", Json::array()}};
  for (const Part& part : parts_) {
    Json own = {{"format", part.format}};
    if (part.layer.status) own.update(part.layer.status());
    all["layers"].push_back(std::move(own));
  }
  return all;
}

const File& Stack::known_by() const {
  return parts_.empty() || !parts_.front().layer.known_by ? file_ : parts_.front().layer.known_by;
}

Result<void> Stack::close() {
  Result<void> outcome = top()->flush();
  for (const Part& part : std::views::reverse(parts_)) {
    if (!part.layer.close) continue;
    Result<void> closed = part.layer.close();
    if (outcome) outcome = std::move(closed);
  }
  return outcome;
}

Result<Stack> open(const Volume& volume, const Events& events, Writing writing) {
  Stack stack(volume.file);
  for (const AnyLayer& layer : volume.layers) TRY(stack.open(layer, volume.name, events, writing));
  return stack;
}

}  // namespace intact::stack
