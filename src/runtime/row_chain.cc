#include "runtime/row_chain.h"

#include <algorithm>
#include <cstring>

namespace assay::runtime {
namespace {

// What lies between the ops shall stay in the second-level cache, beside weights.
constexpr uint64_t kBufferBytes = uint64_t{512} << 10, kMostBufferBytes = uint64_t{768} << 10;
// The buffers' sizes are found by walking through all lines; a picture has fewer.
constexpr int64_t kMostLines = 4096;
// Kernels read a few bytes beyond what they use.
constexpr uint64_t kSlack = 256;

}  // namespace

RowChain::RowChain(std::vector<Member> members, int64_t images) : members_(std::move(members)), images_(images) {
  const int64_t height = members_.back().height;
  if (height > kMostLines) return;
  std::vector<int64_t> capacities = Capacities(1);
  if (BytesFor(capacities) > kMostBufferBytes) return;
  lines_ = 1;
  while (lines_ < height) {
    const int64_t more = std::min(2 * lines_, height);
    const std::vector<int64_t> wanted = Capacities(more);
    if (BytesFor(wanted) > kBufferBytes) break;
    lines_ = more, capacities = wanted;
  }
  for (size_t m = 0; m + 1 < members_.size(); ++m) {
    offsets_.push_back(buffer_bytes_);
    buffer_bytes_ += (static_cast<uint64_t>(capacities[m]) * members_[m].row_bytes + kSlack + 63) / 64 * 64;
  }
}

uint64_t RowChain::BytesFor(const std::vector<int64_t>& capacities) const {
  uint64_t bytes = 0;
  for (size_t m = 0; m + 1 < members_.size(); ++m) {
    bytes += static_cast<uint64_t>(capacities[m]) * members_[m].row_bytes;
  }
  return bytes;
}

// Adds to `needed` the rows of its producers' outputs that `rows` of the consumer's are made of.
void RowChain::AddNeeded(size_t consumer, const Rows& rows, std::vector<Rows>& needed) const {
  if (rows.begin == rows.end) return;
  const ops::RowWindow& w = members_[consumer].window;
  for (const int producer : members_[consumer].inputs) {
    if (producer == kOutside) continue;
    const int64_t height = members_[static_cast<size_t>(producer)].height;
    const int64_t begin = std::clamp<int64_t>(rows.begin * w.stride - w.pad, 0, height);
    const int64_t end = std::clamp<int64_t>((rows.end - 1) * w.stride - w.pad + w.reach, begin, height);
    if (begin == end) continue;
    Rows& all = needed[static_cast<size_t>(producer)];
    all = all.begin == all.end ? Rows{begin, end} : Rows{std::min(all.begin, begin), std::max(all.end, end)};
  }
}

// How many rows of each output are needed at most for `lines` of the last one.
std::vector<int64_t> RowChain::Capacities(int64_t lines) const {
  const size_t count = members_.size();
  std::vector<int64_t> most(count, 0);
  std::vector<Rows> needed(count);
  for (int64_t y = 0; y < members_.back().height; ++y) {
    needed.assign(count, {0, 0});
    needed.back() = {y, std::min(y + lines, members_.back().height)};
    for (size_t m = count; m-- > 0;) {
      most[m] = std::max(most[m], needed[m].end - needed[m].begin);
      AddNeeded(m, needed[m], needed);
    }
  }
  return most;
}

void RowChain::Run(int64_t begin, int64_t end, int worker, uint8_t* buffer, const RunRows& run) const {
  const size_t count = members_.size();
  std::vector<Kept> kept(count);
  std::vector<Rows> needed(count), missing(count);
  std::vector<uint8_t*> data(count, nullptr);
  const int64_t height = members_.back().height;
  int64_t image = -1;
  for (int64_t row = begin; row < end;) {
    if (row / height != image) {
      image = row / height;
      kept.assign(count, {false, 0, 0});
    }
    const int64_t stop = std::min({row + lines_, end, (image + 1) * height});
    needed.assign(count, {0, 0});
    needed.back() = {row - image * height, stop - image * height};
    for (size_t m = count; m-- > 0;) {
      // What is not there yet; all, where the buffer has nothing to go on from.
      const Rows& want = needed[m];
      missing[m] = want;
      if (want.begin == want.end) continue;
      if (kept[m].any && want.begin >= kept[m].begin && want.begin <= kept[m].end) {
        missing[m].begin = std::min(kept[m].end, want.end);
      } else {
        kept[m].any = false;
      }
      AddNeeded(m, missing[m], needed);
    }
    for (size_t m = 0; m < count; ++m) {
      if (missing[m].begin == missing[m].end) continue;
      const Member& member = members_[m];
      if (m + 1 < count) {
        uint8_t* memory = buffer + offsets_[m];
        if (kept[m].any && needed[m].begin > kept[m].begin) {
          std::memmove(memory, memory + static_cast<uint64_t>(needed[m].begin - kept[m].begin) * member.row_bytes,
                       static_cast<uint64_t>(kept[m].end - needed[m].begin) * member.row_bytes);
        }
        kept[m] = {true, needed[m].begin, missing[m].end};
        // An address only, which nobody reads where it lies before the buffer.
        const auto before = static_cast<uint64_t>(image * member.height + needed[m].begin) * member.row_bytes;
        data[m] = reinterpret_cast<uint8_t*>(reinterpret_cast<uintptr_t>(memory) - before);
      }
      const auto at = [&](int64_t y) { return static_cast<size_t>(image * member.height + y); };
      run(m, {at(missing[m].begin), at(missing[m].end), static_cast<size_t>(images_ * member.height), worker}, data);
    }
    row = stop;
  }
}

}  // namespace assay::runtime
