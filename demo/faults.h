// Faults as they happen in the field, planted in the demo's int8 model, in its preprocessing or in the data that both
// models get: the test of the diagnosis.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "compare/compare.h"
#include "demo/digits.h"
#include "graph/model.h"

namespace assay::demo {

// Preprocessing that the demo's models were trained with.
inline constexpr std::string_view kPreprocess = "scale=1/255";

enum class FaultKind : uint8_t {
  kInputRange,        // another scale or offset than in training; an input calibrated on another range
  kInversion,         // dark ink on a light ground
  kGeometry,          // pictures transposed, flipped or moved
  kLabelShift,        // the classes numbered from another start
  kRangeBlownUp,      // one outlier while calibrating: a result's step is 8 to 32 times too coarse
  kRangeTooNarrow,    // a result clips at a quarter to an eighth of its range
  kWeightsCoarse,     // a layer's weights with one scale for all channels, far too large
  kWeightChannels,    // the scales of one or some of a layer's channels are wrong
  kWeightsCorrupted,  // a layer's weights in the wrong order, or half of them overwritten
  kBiasZeroed,        // a layer lost its bias
  kCount
};
std::string_view FaultName(FaultKind kind);

// In the int8 model alone, in its preprocessing alone, or in the data that both models get.
enum class FaultPlace : uint8_t { kModel, kPreprocessing, kData };

struct PlantedFault {
  FaultKind kind = FaultKind::kInputRange;
  FaultPlace place = FaultPlace::kModel;
  std::string layer;       // the tensor that the faulty layer computes, or whose range is wrong; "": no layer's fault
  std::string truth;       // one sentence, without its full stop
  std::string preprocess;  // what feeds the faulty model; the reference is fed kPreprocess
  std::shared_ptr<const graph::Model> model;

  bool invert_pictures = false, transpose_pictures = false, flip_pictures = false;
  int label_shift = 0;
  // The data that both models get: unchanged unless `place` is kData.
  DigitSet Apply(DigitSet digits) const;
};

// Seeds go through all kinds in turn; place, layer and size are drawn from the seed. A draw that changes less than one
// in thirty of the answers to a sample of digits is drawn again.
PlantedFault PlantFault(uint64_t seed, const std::shared_ptr<const graph::Model>& int8_model);

// Whether the diagnosis named the layer or the kind.
bool IsNamed(const PlantedFault& fault, const compare::CompareResult& result);

}  // namespace assay::demo
