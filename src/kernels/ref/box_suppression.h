// Non-maximum suppression of boxes: what TFLite_Detection_PostProcess and NON_MAX_SUPPRESSION_V4 / V5 are made of.
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

struct Box {
  float ymin, xmin, ymax, xmax;
};

// y, x, height and width, each to be divided by its scale.
struct BoxScales {
  float y = 0, x = 0, h = 0, w = 0;
};
struct Dequantization {
  float scale = 0;
  int32_t zero_point = 0;
};

// Decodes `count` boxes from their offsets to the anchors, in double, rounded to float; the encodings are `stride`
// values apart. T is float (dequantizations are ignored) or uint8_t: (float(code) - zero point) * scale.
template <typename T>
void DecodeBoxes(int32_t count, int32_t stride, const BoxScales& scales, const T* encodings, Dequantization encoding,
                 const T* anchors, Dequantization anchor, Box* boxes) noexcept;

// The first box with a negative height or width, or -1.
int32_t FindInsideOut(int32_t count, const Box* boxes) noexcept;

// Blocks of 8: code * scale + (-zero point * scale); the tail: (code - zero point) * scale.
void DequantizeScores(int64_t count, const uint8_t* codes, Dequantization q, float* scores) noexcept;

struct SuppressionWork {
  int32_t* order = nullptr;   // count
  uint8_t* active = nullptr;  // count
};
// The boxes with a score of at least `score_threshold`, the best first (of equal ones the first), without those that
// overlap a better one by more than `iou_threshold`; at most `most`. Score i is scores[i * score_stride]. Returns how
// many were written to `selected`.
int32_t SuppressOverlaps(int32_t count, const Box* boxes, const float* scores, int64_t score_stride,
                         float score_threshold, float iou_threshold, int32_t most, const SuppressionWork& work,
                         int32_t* selected) noexcept;

// The indices of the `most` largest of `count` values, the largest first. `indices` has room for `count`.
void LargestFirst(const float* values, int32_t count, int32_t most, int32_t* indices) noexcept;

struct Detection {
  int32_t index;
  float score;
};
// Merges `added` (sorted) into `best` (sorted), keeping at most `most`; of equal scores those in `best` stay in front,
// or with `added_first` fall behind.
// `merged` has room for `most`. Returns the new count; the result lies in `best`.
int32_t MergeDetections(Detection* best, int32_t best_count, const Detection* added, int32_t added_count, int32_t most,
                        bool added_first, Detection* merged) noexcept;

struct SoftCandidate {
  int32_t index;
  float score;
  int32_t compared;  // selections that it was compared with
};
// Single-class suppression with a Gaussian decay of scores where sigma > 0 (Soft-NMS). Boxes are two opposite corners
// each. `heap` has room for `count`, `selected` for min(most, count) + 1; `selected_scores` may be null. Returns how
// many were selected.
int32_t SuppressSoftly(int32_t count, const Box* corners, const float* scores, int32_t most, float iou_threshold,
                       float score_threshold, float sigma, SoftCandidate* heap, int32_t* selected,
                       float* selected_scores) noexcept;

}  // namespace assay::kernels::ref
