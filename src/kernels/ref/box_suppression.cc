#include "kernels/ref/box_suppression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

namespace assay::kernels::ref {
namespace {

template <typename T>
float Real(T value, Dequantization q) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return (static_cast<float>(value) - static_cast<float>(q.zero_point)) * q.scale;
  }
}

double Wide(float x) { return static_cast<double>(x); }

float Overlap(const Box& a, const Box& b) {
  const float area_a = (a.ymax - a.ymin) * (a.xmax - a.xmin), area_b = (b.ymax - b.ymin) * (b.xmax - b.xmin);
  if (area_a <= 0 || area_b <= 0) return 0;
  const float height = std::min(a.ymax, b.ymax) - std::max(a.ymin, b.ymin);
  const float width = std::min(a.xmax, b.xmax) - std::max(a.xmin, b.xmin);
  const float common = std::max(height, 0.0F) * std::max(width, 0.0F);
  return common / (area_a + area_b - common);
}

Box FromCorners(const Box& c) {
  return {std::min(c.ymin, c.ymax), std::min(c.xmin, c.xmax), std::max(c.ymin, c.ymax), std::max(c.xmin, c.xmax)};
}

}  // namespace

template <typename T>
void DecodeBoxes(int32_t count, int32_t stride, const BoxScales& scales, const T* encodings, Dequantization encoding,
                 const T* anchors, Dequantization anchor, Box* boxes) noexcept {
  for (int32_t i = 0; i < count; ++i) {
    const T* e = encodings + int64_t{i} * stride;
    const T* a = anchors + int64_t{i} * 4;
    const double anchor_y = Wide(Real(a[0], anchor)), anchor_x = Wide(Real(a[1], anchor));
    const double anchor_h = Wide(Real(a[2], anchor)), anchor_w = Wide(Real(a[3], anchor));
    const auto y = static_cast<float>(Wide(Real(e[0], encoding)) / Wide(scales.y) * anchor_h + anchor_y);
    const auto x = static_cast<float>(Wide(Real(e[1], encoding)) / Wide(scales.x) * anchor_w + anchor_x);
    const auto half_h = static_cast<float>(0.5 * std::exp(Wide(Real(e[2], encoding)) / Wide(scales.h)) * anchor_h);
    const auto half_w = static_cast<float>(0.5 * std::exp(Wide(Real(e[3], encoding)) / Wide(scales.w)) * anchor_w);
    boxes[i] = {y - half_h, x - half_w, y + half_h, x + half_w};
  }
}

template void DecodeBoxes<float>(int32_t, int32_t, const BoxScales&, const float*, Dequantization, const float*,
                                 Dequantization, Box*) noexcept;
template void DecodeBoxes<uint8_t>(int32_t, int32_t, const BoxScales&, const uint8_t*, Dequantization, const uint8_t*,
                                   Dequantization, Box*) noexcept;

int32_t FindInsideOut(int32_t count, const Box* boxes) noexcept {
  for (int32_t i = 0; i < count; ++i) {
    if (boxes[i].ymin > boxes[i].ymax || boxes[i].xmin > boxes[i].xmax) return i;
  }
  return -1;
}

void DequantizeScores(int64_t count, const uint8_t* codes, Dequantization q, float* scores) noexcept {
  constexpr int64_t kBlock = 8;
  const float offset = static_cast<float>(-q.zero_point) * q.scale;
  const int64_t in_blocks = count / kBlock * kBlock;
  for (int64_t i = 0; i < in_blocks; ++i) scores[i] = static_cast<float>(codes[i]) * q.scale + offset;
  for (int64_t i = in_blocks; i < count; ++i) scores[i] = Real(codes[i], q);
}

int32_t SuppressOverlaps(int32_t count, const Box* boxes, const float* scores, int64_t score_stride,
                         float score_threshold, float iou_threshold, int32_t most, const SuppressionWork& work,
                         int32_t* selected) noexcept {
  int32_t kept = 0;
  for (int32_t i = 0; i < count; ++i) {
    if (scores[i * score_stride] >= score_threshold) work.order[kept++] = i;
  }
  std::sort(work.order, work.order + kept, [&](int32_t a, int32_t b) {
    const float score_a = scores[a * score_stride], score_b = scores[b * score_stride];
    return score_a > score_b || (score_a == score_b && a < b);
  });
  std::fill_n(work.active, kept, uint8_t{1});
  int32_t found = 0;
  for (int32_t i = 0; i < kept && found < most; ++i) {
    if (work.active[i] == 0) continue;
    selected[found++] = work.order[i];
    const Box& best = boxes[work.order[i]];
    for (int32_t j = i + 1; j < kept; ++j) {
      if (work.active[j] != 0 && Overlap(best, boxes[work.order[j]]) > iou_threshold) work.active[j] = 0;
    }
  }
  return found;
}

namespace {

// The first of the largest values; NaN counts as the lowest.
int32_t FirstLargest(const float* values, int32_t count) {
  constexpr int32_t kTogether = 8;
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  const auto larger = [](float a, float b) { return a > b ? a : b; };  // b where a is NaN
  float most[kTogether];
  std::fill_n(most, kTogether, kLowest);
  int32_t i = 0;
  for (; i + kTogether <= count; i += kTogether) {
    for (int32_t k = 0; k < kTogether; ++k) most[k] = larger(values[i + k], most[k]);
  }
  for (; i < count; ++i) most[0] = larger(values[i], most[0]);
  for (int32_t k = 1; k < kTogether; ++k) most[0] = larger(most[k], most[0]);
  if (most[0] == kLowest) return 0;
  return static_cast<int32_t>(std::find(values, values + count, most[0]) - values);
}

}  // namespace

void LargestFirst(const float* values, int32_t count, int32_t most, int32_t* indices) noexcept {
  // A NaN counts as the lowest value, so that the order is one.
  const auto key = [&](int32_t i) {
    return std::isnan(values[i]) ? -std::numeric_limits<float>::infinity() : values[i];
  };
  if (most == 1) {
    indices[0] = FirstLargest(values, count);
    return;
  }
  std::iota(indices, indices + count, 0);
  std::partial_sort(indices, indices + most, indices + count, [&](int32_t a, int32_t b) { return key(a) > key(b); });
}

int32_t MergeDetections(Detection* best, int32_t best_count, const Detection* added, int32_t added_count, int32_t most,
                        bool added_first, Detection* merged) noexcept {
  const int32_t total = std::min(best_count + added_count, most);
  int32_t from_best = 0, from_added = 0;
  for (int32_t i = 0; i < total; ++i) {
    const bool take_best = from_added == added_count ||
                           (from_best < best_count && (added_first ? best[from_best].score > added[from_added].score
                                                                   : best[from_best].score >= added[from_added].score));
    merged[i] = take_best ? best[from_best++] : added[from_added++];
  }
  std::copy_n(merged, total, best);
  return total;
}

int32_t SuppressSoftly(int32_t count, const Box* corners, const float* scores, int32_t most, float iou_threshold,
                       float score_threshold, float sigma, SoftCandidate* heap, int32_t* selected,
                       float* selected_scores) noexcept {
  const auto less = [](const SoftCandidate& a, const SoftCandidate& b) { return a.score < b.score; };
  int32_t size = 0;
  const auto push = [&](const SoftCandidate& candidate) {
    heap[size++] = candidate;
    std::push_heap(heap, heap + size, less);
  };
  for (int32_t i = 0; i < count; ++i) {
    if (scores[i] > score_threshold) push({i, scores[i], 0});
  }
  const int32_t wanted = std::min(size, most);
  const float scale = sigma > 0 ? -0.5F / sigma : 0.0F;
  int32_t found = 0;
  while (found < wanted && size > 0) {
    std::pop_heap(heap, heap + size, less);
    SoftCandidate candidate = heap[--size];
    const float before = candidate.score;
    const Box box = FromCorners(corners[candidate.index]);
    bool suppressed = false;
    for (int32_t j = found - 1; j >= candidate.compared; --j) {
      const float overlap = Overlap(box, FromCorners(corners[selected[j]]));
      if (overlap >= iou_threshold) {
        suppressed = true;
        break;
      }
      if (sigma > 0) candidate.score *= std::exp(scale * overlap * overlap);
      if (candidate.score <= score_threshold) break;
    }
    candidate.compared = found;
    if (suppressed) continue;
    if (candidate.score == before) {
      selected[found] = candidate.index;
      if (selected_scores != nullptr) selected_scores[found] = candidate.score;
      ++found;
    }
    if (candidate.score > score_threshold) push(candidate);
  }
  return found;
}

}  // namespace assay::kernels::ref
